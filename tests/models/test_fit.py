from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from pydantic import JsonValue

from data_contracts.job import FitJob, FitResult, TablesAt, Validation
from data_contracts.parallelism import ParallelismConfig
from models.recommender.weights import load
from tasks.job import JobFailedError, run_job
from tasks.train.gang import launcher
from tests.models.recommender.tables import write_tables
from tests.models.recommender.walks import walks

CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 1, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "optimizer": {"kind": "rowwise_adagrad", "learning_rate": 0.01, "row_learning_rate": 0.05},
    "fit": {"batch_size": 37, "max_epochs": 3, "warm_up_steps": 5, "precision": "64-true"},
}
"""Nothing random but order and negatives, in float64: what is equal must come out equal. 445 examples are 12 batches
of 37 and one left over, which one of two processes has no share of."""
DROPPING: dict[str, JsonValue] = {**CONFIG, "network": {"width": 16, "blocks": 1, "dropout": 0.3}}
"""Each process drops other numbers, so only trainings of as many processes are equal."""


@dataclass
class Lab:
    """Trains the same job under different circumstances."""

    folder: Path
    tables: TablesAt
    client: MlflowClient
    lines: list[str] = field(default_factory=list)

    def job(self, name: str, processes: int, config: dict[str, JsonValue], tables: TablesAt | None = None) -> FitJob:
        experiment = self.client.get_experiment_by_name("lab")
        found = experiment.experiment_id if experiment else self.client.create_experiment("lab")
        return FitJob(
            use_case="recommender",
            run_folder=str(self.folder / name),
            tables=tables or self.tables,
            windows=("a", "b"),
            known_windows=("a", "b"),
            validation=Validation(window="b"),
            parallelism=ParallelismConfig(processes_per_node=processes),
            config=config,
            features={"max_length": 8},
            tracking_uri=self.client.tracking_uri,
            run_id=self.client.create_run(found).info.run_id,
        )

    def train(self, job: FitJob, stop_at: str = "nothing stops it") -> FitResult:
        """Train to the end, or until a line of the log holds ``stop_at``."""
        self.lines.clear()
        return run_job(
            "models.fit",
            job,
            Path(job.run_folder),
            FitResult,
            launcher=launcher(job.parallelism),
            environment={"OMP_NUM_THREADS": "1"},
            on_line=self.lines.append,
            wanted=lambda: not any(stop_at in line for line in self.lines),
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    tables = write_tables(folder / "tables", walks({"a": 10, "b": 4, "c": 2}, users=150), max_length=8)
    return Lab(folder, tables, MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db"))


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> FitResult:
    return lab.train(lab.job("undisturbed", 2, CONFIG))


def weights_of(result: FitResult) -> dict[str, torch.Tensor]:
    return dict(load(Path(result.checkpoint)).network.named_parameters())


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


def test_a_killed_training_goes_on_from_its_last_epoch_and_ends_as_if_undisturbed(lab: Lab) -> None:
    undisturbed = lab.train(lab.job("dropping", 2, DROPPING))
    job = lab.job("killed", 2, DROPPING)
    with pytest.raises(JobFailedError, match="no result"):
        lab.train(job, stop_at="epoch 0:")
    assert not (Path(job.run_folder) / "checkpoint").exists()
    resumed = lab.train(job)
    assert not any("epoch 0:" in line for line in lab.lines)
    assert resumed.samples == undisturbed.samples
    torch.testing.assert_close(weights_of(resumed), weights_of(undisturbed), rtol=0, atol=0)


def test_a_loss_that_is_no_number_stops_the_training_by_name(lab: Lab) -> None:
    wild: dict[str, JsonValue] = {**CONFIG, "optimizer": {"kind": "adamw", "learning_rate": 1e300}}
    job = lab.job("wild", 1, wild)
    with pytest.raises(JobFailedError, match=r"(?s)DivergedError: the loss is nan at step .*Lower model\.optimizer"):
        lab.train(job)
    assert not (Path(job.run_folder) / "checkpoint").exists()


def test_without_a_validating_user_the_last_epoch_is_kept(lab: Lab) -> None:
    few = write_tables(lab.folder / "few", walks({"a": 6, "b": 4}, users=5), max_length=8)
    result = lab.train(lab.job("few", 1, CONFIG, few))
    assert result.epochs == 3
    assert "validation/ndcg_at_10" not in result.metrics
    assert weights_of(result)
