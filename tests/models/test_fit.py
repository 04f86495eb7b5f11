from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import JsonValue
from torch.distributed.checkpoint.state_dict_loader import load as read_tensors

from benchmarks.shards import shards
from data_contracts.job import JOB, CheckpointConfig, FitJob, FitResult, read
from data_contracts.manifest import damage
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE
from models.audit import AUDIT, account
from models.distributed.strategy import GangStrategy
from models.fit import fit
from models.recommender.data import RecommenderData
from models.recommender.module import Batch, RecommenderModule, Targets
from tasks.job import JobFailedError
from tasks.train.agent import failures
from tests.models.lab import Lab, weights_of
from tests.models.ranks import run_limited
from tests.models.recommender.tables import write_tables
from tests.models.recommender.walks import walks

PLENTY = 1 << 40

CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 1, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "optimizer": {"learning_rate": 0.01, "row_learning_rate": 0.05},
    "fit": {"batch_size": 37, "max_epochs": 3, "warm_up_steps": 5, "precision": "64-true"},
}
"""Nothing random but order and negatives, in float64: what is equal must come out equal. 445 examples are 12 batches
of 37 and one left over, which one of two processes has no share of."""
FIT: dict[str, JsonValue] = {
    "batch_size": 40, "max_epochs": 3, "patience": 9, "warm_up_steps": 5, "precision": "64-true"
}  # fmt: skip
LAYERED: dict[str, JsonValue] = {**CONFIG, "fit": FIT}
DROPPING: dict[str, JsonValue] = {**CONFIG, "network": {"width": 16, "blocks": 1, "dropout": 0.3}}
"""Each process drops other numbers, so only trainings of as many processes are equal."""


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> FitResult:
    return lab.train(lab.job("undisturbed", 2, CONFIG))


def test_two_processes_learn_the_walk(undisturbed: FitResult) -> None:
    assert undisturbed.epochs == 3
    assert undisturbed.samples == 1335
    assert 0.5 < undisturbed.metrics["validation/ndcg_at_10"] < 1


def test_one_process_ends_where_two_do_and_logs_every_epoch(lab: Lab, undisturbed: FitResult) -> None:
    job = lab.job("alone", 1, CONFIG)
    alone = lab.train(job)
    torch.testing.assert_close(weights_of(alone), weights_of(undisturbed), rtol=1e-9, atol=1e-9)
    assert alone.metrics == pytest.approx(undisturbed.metrics)
    logged = lab.client.get_metric_history(job.run_id, "validation/ndcg_at_10")
    assert [round(entry.value, 6) for entry in logged][-1] == round(alone.metrics["validation/ndcg_at_10"], 6)
    assert len(logged) == len(lab.client.get_metric_history(job.run_id, "train/loss")) == alone.epochs


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_what_validates_and_is_kept_are_averages(undisturbed: FitResult) -> None:
    folder = Path(undisturbed.checkpoint).parent
    job = read(folder / JOB, FitJob)
    kept = weights_of(undisturbed)
    last = {f"parameter.network.{name}": torch.empty_like(weight) for name, weight in kept.items()}
    read_tensors(last, checkpoint_id=max((folder / "training").iterdir()) / "best", no_dist=True)
    assert quality(job, kept) == pytest.approx(undisturbed.metrics["validation/ndcg_at_10"], abs=1e-6)
    for name, weight in kept.items():  # of a row at rest the average is the row
        assert not torch.allclose(weight, last[f"parameter.network.{name}"], rtol=1e-3), name


def quality(job: FitJob, weights: dict[str, torch.Tensor]) -> float:
    """Return NDCG@10 of a network with these weights, of the users that validate."""
    module, data = RecommenderModule.of(job).double().eval(), RecommenderData(job)
    module.network.load_state_dict(weights, strict=False)
    data.setup("fit")
    rows = np.arange(len(data.validation))
    met_BL2, target_BL = data.validation.sequences.padded(rows)
    batch = Batch(met_BL2, Targets(target_BL, 1, 0), examples=len(rows), rows=rows, origin="")
    with torch.no_grad():
        return float(module.quality(module.network(met_BL2), batch).mean())


def test_the_loss_that_was_taken_is_said_once_and_kept_on_the_run(lab: Lab) -> None:
    job = lab.job("by-size", 2, {name: CONFIG[name] for name in ("network", "optimizer", "fit")})
    lab.train(job)
    said = [line for line in lab.lines if "loss: full_softmax over" in line]
    assert len(said) == 1, lab.lines
    assert lab.client.get_run(job.run_id).data.params["model.loss.kind"] == "full_softmax"


def split(job: FitJob, parallelism: dict[str, object]) -> FitJob:
    return job.model_copy(update={"parallelism": ParallelismConfig.model_validate(parallelism)})


def change_a_byte(folder: Path, checkpoint: int) -> None:
    """Damage a checkpoint, by its place in order."""
    file = sorted((folder / "training").glob("step-*"))[checkpoint] / "newest" / "__0_0.distcp"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.slow
def test_a_training_killed_and_damaged_again_and_again_ends_as_if_undisturbed(lab: Lab) -> None:
    undisturbed = lab.train(lab.job("dropping", 2, DROPPING))
    job = lab.job("killed", 2, DROPPING)
    folder = Path(job.run_folder)
    assert lab.killed(job, "checkpoint", "after")[0] == 0, "it is written beside training, which goes on"
    assert lab.killed(job, "step", "before", 4) == [], "13 steps are an epoch"
    assert lab.killed(job, "checkpoint", "after")[0] == 1
    change_a_byte(folder, -1)
    assert lab.killed(job, "checkpoint", "after")[0] == 1
    refused = [line for line in lab.lines if "'newest/__0_0.distcp': sha256 is" in line]
    assert ["step-0000000026" in line for line in refused] == [True], lab.lines
    change_a_byte(folder, 0)
    change_a_byte(folder, 1)
    assert lab.killed(job, "checkpoint", "after", 3) == [0, 1, 2]
    assert lab.killed(job, "weights", "before") == []
    assert not (folder / "checkpoint").exists()
    resumed = lab.train(job, ("fit result", "after", 1))
    assert lab.epochs() == []
    assert resumed.model_copy(update={"checkpoint": undisturbed.checkpoint}) == undisturbed
    torch.testing.assert_close(weights_of(resumed), weights_of(undisturbed), rtol=0, atol=0)
    left = {path.name: damage(path) for path in [*(folder / "training").iterdir(), Path(resumed.checkpoint)]}
    assert left == {"step-0000000013": [], "step-0000000026": [], "step-0000000039": [], "checkpoint": []}


def test_a_training_that_had_stopped_early_does_not_go_on_and_is_audited_all_the_same(lab: Lab) -> None:
    still: dict[str, JsonValue] = {
        **CONFIG,
        "optimizer": {"learning_rate": 1e-30, "row_learning_rate": 1e-30},
        "fit": {"batch_size": 200, "max_epochs": 9, "patience": 1},
    }
    job = lab.job("still", 1, still)
    assert lab.killed(job, "checkpoint", "after", 2) == [0, 1]
    (ledger,) = (Path(job.run_folder) / "ledger").iterdir()
    ledger.rename(lab.folder / ledger.name)
    with pytest.raises(JobFailedError):
        lab.train(job)
    (said,) = failures(Path(job.run_folder))
    assert re.match(r"rank 0: LedgerError: examples were not seen exactly once:\n  - epoch 0: 0 seen, wanted 445", said)
    assert not (Path(job.run_folder) / "checkpoint").exists()
    assert logged(lab, job)["ledger/epochs_seen_once"] == 0
    (lab.folder / ledger.name).rename(ledger)
    assert lab.train(job).epochs == 2
    assert lab.epochs() == []
    totals = {"examples": 445, "starts": 1, "steps": 6, "repeated": 0, "epochs_seen_once": 2}
    found = logged(lab, job)
    assert {name: found[f"ledger/{name}"] for name in totals} == totals
    table = json.loads(Path(lab.client.download_artifacts(job.run_id, AUDIT)).read_text())
    assert table["epochs"] == [{"epoch": epoch, "steps": 3, "examples": 445, "once": True} for epoch in range(2)]


def logged(lab: Lab, job: FitJob) -> dict[str, float]:
    return dict(lab.client.get_run(job.run_id).data.metrics)


def test_a_training_whose_time_is_up_ends_after_an_epoch_with_the_best_so_far(lab: Lab) -> None:
    job = lab.job("no-time", 2, CONFIG).model_copy(update={"max_seconds": 0.1})
    result = lab.train(job)
    assert result.epochs == 1
    assert result.remark == (
        "The training took 1 of 3 epochs: no more was better, or would have been done in train.max_seconds (0.1)."
    )
    assert not damage(Path(result.checkpoint))
    plenty = lab.train(lab.job("time", 1, CONFIG).model_copy(update={"max_seconds": 3600.0}))
    assert (plenty.epochs, plenty.remark) == (3, "")


def test_a_loss_that_is_no_number_stops_the_training_by_name(lab: Lab) -> None:
    wild: dict[str, JsonValue] = {**CONFIG, "optimizer": {"learning_rate": 1e300}}
    job = lab.job("wild", 1, wild)
    with pytest.raises(JobFailedError):
        lab.train(job)
    said = "".join(failures(Path(job.run_folder)))
    assert re.match(
        r"rank 0: DivergedError: the (loss|gradient's length) is nan at step .* on examples of a, b\. The last good",
        said,
    )
    assert not (Path(job.run_folder) / "checkpoint").exists()


def test_why_it_failed_is_written_before_the_others_are_left(lab: Lab) -> None:
    """They fail when it leaves, and the first of them that has ended has all others killed."""
    wild: dict[str, JsonValue] = {**CONFIG, "optimizer": {"learning_rate": 1e300}}
    job = lab.job("left", 1, wild)
    Path(job.run_folder).mkdir()
    assert run_limited(fail_alone, job, memory=PLENTY) == 0
    (said,) = failures(Path(job.run_folder))
    assert said.startswith("rank 0: DivergedError: ")


def fail_alone(job: FitJob) -> None:
    GangStrategy.teardown = lambda _: os._exit(0)  # type: ignore[method-assign]  # killed as it leaves
    fit(job)


def test_a_training_goes_on_under_any_other_way_of_splitting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are local to two processes, sharded over two, served to two, sharded over three, and leave in shards of two.

    For some steps the server learns layers, too. All but the stages take each share of a batch in parts.
    """
    alone = lab.train(lab.job("whole", 1, LAYERED))
    sharded = {"rows": "sharded", "max_restarts": 0}
    piped = {"strategy": "pipeline", "pipeline_stages": 2, "processes_per_node": 2, **sharded}
    job = lab.job("split", 2, {**LAYERED, "fit": {**FIT, "accumulate": 3}})
    lab.killed(job, "checkpoint", "after", 1)
    lab.killed(split(job, piped).model_copy(update={"config": LAYERED}), "step", "after", 12)
    served = {"rows": "served", "server": {"shards": 2}, "max_restarts": 0}
    with shards(ParallelismConfig.model_validate(served)) as (store, _):
        monkeypatch.setenv(STORE, store)
        lab.killed(split(job, {"processes_per_node": 2, **served}), "checkpoint", "after", 1)
        assert lab.epochs() == [1]
        often = {"checkpoints": CheckpointConfig(every_seconds=0.01)}
        sync = {**served, "server": {"shards": 2, "mode": "sync"}}
        lab.killed(split(job, {"processes_per_node": 2, **sync}).model_copy(update=often), "step", "after", 8)
        assert sorted(path.name for path in (Path(job.run_folder) / "training").iterdir())[-1] > "step-0000000024"
    lab.killed(split(job, {"strategy": "fsdp", "processes_per_node": 3, **sharded}), "weights", "before")
    resumed = lab.train(split(job, {"processes_per_node": 2, **sharded}))
    assert lab.epochs() == []
    files = {path.name for path in Path(resumed.checkpoint).glob("*.safetensors")}
    assert files == {"model.safetensors", "rows-00001-of-00002.safetensors", "rows-00002-of-00002.safetensors"}
    torch.testing.assert_close(weights_of(resumed), weights_of(alone), rtol=1e-9, atol=1e-9)
    assert resumed.metrics == pytest.approx(alone.metrics)
    found = account(Path(job.run_folder) / "ledger")
    assert (len(found.steps), found.starts) == (36, 5)


def test_local_sgd_goes_on_from_its_last_average_as_if_undisturbed(lab: Lab) -> None:
    apart = {"processes_per_node": 2, "average_every": 4, "max_restarts": 0}
    calm = lab.train(split(lab.job("apart", 2, CONFIG), apart))
    job = split(lab.job("apart-killed", 2, CONFIG), apart)
    lab.killed(job, "step", "after", 18)
    resumed = lab.train(job)
    torch.testing.assert_close(weights_of(resumed), weights_of(calm), rtol=0, atol=0)
    assert resumed.metrics == calm.metrics


def test_a_checkpoint_of_another_model_is_refused_by_name(lab: Lab) -> None:
    job = lab.job("other", 1, CONFIG)
    lab.killed(job, "checkpoint", "after", 1)
    wider = job.model_copy(update={"config": {**CONFIG, "network": {"width": 24, "blocks": 1, "dropout": 0.0}}})
    with pytest.raises(JobFailedError):
        lab.train(wider)
    (said,) = failures(Path(job.run_folder))
    assert re.match(r"rank 0: OtherModelError: checkpoint .*/step-0000000013/newest is of another model: ", said)
    assert re.search(r"  - parameter\.network\.\S+: \(\d+, 16\), wanted \(\d+, 24\)\n", said), said


def test_a_process_out_of_memory_says_what_to_do(lab: Lab) -> None:
    huge: dict[str, JsonValue] = {**CONFIG, "network": {"width": 1_000_000, "blocks": 1, "dropout": 0.0}}
    job = lab.job("huge", 1, huge)
    with pytest.raises(JobFailedError):
        lab.train(job)
    (said,) = failures(Path(job.run_folder))
    assert re.match(r"(?s)rank 0: RuntimeError: .*can't allocate memory.*\nLower model\.fit\.batch_size", said)


def test_without_a_validating_user_the_last_epoch_is_kept(lab: Lab) -> None:
    few = write_tables(lab.folder / "few", walks({"a": 6, "b": 4}, users=5), max_length=8)
    result = lab.train(lab.job("few", 1, CONFIG, few))
    assert result.epochs == 3
    assert "validation/ndcg_at_10" not in result.metrics
    assert weights_of(result)
