"""The same trainings on GPUs (NCCL), beside those of a CPU. `make gpu` runs them; without a GPU they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import JsonValue

from data_contracts.job import FitJob
from data_contracts.parallelism import ParallelismConfig
from models.audit import account
from tests.models.lab import Lab, weights_of

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 2, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "fit": {"batch_size": 40, "max_epochs": 3, "warm_up_steps": 5},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    assert torch.cuda.is_available(), "these tests need an NVIDIA GPU, and CUDA sees none"
    return Lab.of(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def on_cpu(lab: Lab) -> torch.Tensor:
    """Losses of one process without a GPU."""
    job = lab.job("cpu", 1, CONFIG)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CUDA_VISIBLE_DEVICES", "")
        lab.train(job)
    return losses(job)


def losses(job: FitJob) -> torch.Tensor:
    steps = account(Path(job.run_folder) / "ledger").steps
    return torch.tensor([steps[number].loss for number in sorted(steps)])


@pytest.mark.parametrize(("precision", "bound"), [("32-true", 1e-3), ("bf16-mixed", 5e-2)], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_every_gpu_takes_its_share_and_learns_what_a_cpu_learns(
    lab: Lab, on_cpu: torch.Tensor, strategy: str, precision: str, bound: float
) -> None:
    config: dict[str, JsonValue] = {**CONFIG, "fit": {**CONFIG["fit"], "precision": precision}}  # type: ignore[dict-item]
    parallelism = ParallelismConfig.model_validate(
        {"strategy": strategy, "processes_per_node": torch.cuda.device_count(), "max_restarts": 0}
    )
    job = lab.job(f"{strategy}-{precision}", 1, config).model_copy(update={"parallelism": parallelism})
    result = lab.train(job)
    assert all(weight.isfinite().all() for weight in weights_of(result).values())
    torch.testing.assert_close(losses(job), on_cpu, rtol=0, atol=bound)


def test_a_training_killed_on_a_gpu_ends_bit_for_bit_as_if_undisturbed(lab: Lab) -> None:
    undisturbed = lab.train(lab.job("undisturbed", 1, CONFIG))
    job = lab.job("killed", 1, CONFIG)
    lab.killed(job, "step", "after", 20)
    torch.testing.assert_close(weights_of(lab.train(job)), weights_of(undisturbed), rtol=0, atol=0)
