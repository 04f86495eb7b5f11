"""Whether every way of splitting computes the same: each trains on the same batches, and is compared with one process.

``make equivalence`` prints the table, keeps it in ``benchmarks/RESULTS.md`` and on an MLflow run, and fails when a way
is further from one process than it may be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from mlflow import MlflowClient
from pydantic import JsonValue
from safetensors.torch import load_file

from benchmarks.lab import ENVIRONMENT
from benchmarks.results import machine, record
from benchmarks.sizes import Sizes
from benchmarks.tables import WINDOW, made_up, write_tables
from benchmarks.ways import Trained, Ways
from data_contracts.job import LEDGER, FitJob, FitResult, TablesAt, Validation
from data_contracts.parallelism import ParallelismConfig, Replicas, Schedule
from models.audit import account
from tasks.job import run_job
from tasks.train.agent import launcher

SIZES = Sizes(users=400, events=20, items=60, length=20, width=16, blocks=6, batch=40, negatives=20, epochs=5)
"""Ten steps in each of five epochs; eight layers, enough for two stages on each of four processes."""
STEPS_OF_EPOCH = 10


@dataclass(frozen=True)
class Setting:
    """What is trained in every way.

    Attributes:
        precision: Of weights and sums.
        optimizer: Its kind; with default learning rates.
        loss: How far each step's loss may be from that of one process.
        weights: How far the last weights may be, norm of the difference over the norm; None where it says nothing:
            in float32, Adam takes the sign of what is all rounding for a number.
        epochs: How long.
    """

    precision: str
    optimizer: str
    loss: float
    weights: float | None
    epochs: int = SIZES.epochs

    @property
    def steps(self) -> int:
        """How many make up all epochs."""
        return self.epochs * STEPS_OF_EPOCH

    def config(self) -> dict[str, JsonValue]:
        """Return the `model` settings."""
        return {
            "exclude_seen": False,
            "network": {"width": SIZES.width, "blocks": SIZES.blocks, "dropout": 0.0},
            "loss": {"kind": "sampled_softmax", "negatives": SIZES.negatives},
            "optimizer": {"kind": self.optimizer},
            "fit": {
                "batch_size": SIZES.batch,
                "max_epochs": self.epochs,
                "warm_up_steps": 5,
                "precision": self.precision,
            },
        }


EXACT = Setting("64-true", "adamw", loss=1e-9, weights=1e-9)
SETTINGS = (
    EXACT,
    Setting("64-true", "rowwise_adagrad", loss=1e-9, weights=1e-9),
    Setting("32-true", "adamw", loss=1e-4, weights=None),
)


@dataclass(frozen=True)
class Compared:
    """How far a way of splitting is from one process.

    Attributes:
        way: Of splitting.
        setting: What was trained.
        loss: Largest difference of a step's loss.
        weights: Norm of the difference of all last weights, over their norm.
    """

    way: ParallelismConfig
    setting: Setting
    loss: float
    weights: float

    @property
    def equal(self) -> bool:
        """Whether that is as near as it must be."""
        return self.loss <= self.setting.loss and (self.setting.weights is None or self.weights <= self.setting.weights)

    def row(self) -> dict[str, Any]:
        """Return the line of the table."""
        pipeline = self.way.strategy == "pipeline"
        return {
            "strategy": self.way.strategy,
            "world": self.way.worlds[0],
            "stages": self.way.pipeline_stages if pipeline else "",
            "replicas": self.way.replicas if pipeline else "",
            "schedule": self.way.schedule if pipeline else "",
            "precision": self.setting.precision,
            "optimizer": self.setting.optimizer,
            "loss": f"{self.loss:.1e}",
            "weights": f"{self.weights:.1e}",
            "equal": "yes" if self.equal else "**no**",
        }


def ways(world: int) -> Iterable[ParallelismConfig]:
    """Return every way of splitting over so many processes; with one, `ddp` comes first."""
    yield _way(world, strategy="ddp")
    yield _way(world, strategy="fsdp")
    for stages in (2, 4):
        if world % stages:
            continue
        for schedule in get_args(Schedule):
            for replicas in get_args(Replicas) if world > stages else ("ddp",):
                yield _way(
                    world, strategy="pipeline", pipeline_stages=stages, schedule=schedule, replicas=replicas
                )  # fmt: skip


def _way(world: int, **settings: object) -> ParallelismConfig:
    return ParallelismConfig.model_validate({"processes_per_node": world, "max_restarts": 0} | settings)


def compare(
    folder: Path, chosen: Sequence[ParallelismConfig], settings: Sequence[Setting], module: str = "benchmarks.ways"
) -> list[Compared]:
    """Train in every chosen way, and in one process, and compare.

    Args:
        folder: Empty.
        chosen: Ways of splitting.
        settings: What is trained in each.
        module: Trains.
    """
    one = _way(1)
    tables = write_tables(folder / "tables", made_up(SIZES))
    trained: dict[tuple[ParallelismConfig, Setting], FitJob] = {}
    for world in sorted({1, *(way.worlds[0] for way in chosen)}):
        own = [way for way in dict.fromkeys([one, *chosen]) if way.worlds[0] == world]
        jobs = {
            (way, setting): _job(folder / f"world-{world}-{number}-{which}", tables, way, setting)
            for number, way in enumerate(own)
            for which, setting in enumerate(settings)
        }
        print(f"world {world}: {len(jobs)} trainings of {settings[0].steps} steps", flush=True)
        run_job(
            module, Ways(jobs=tuple(jobs.values())), folder / f"world-{world}", Trained,
            launcher=launcher(_way(world)), environment=ENVIRONMENT,
        )  # fmt: skip
        trained |= jobs
    return [_compared(trained[one, setting], job, setting) for (_, setting), job in trained.items()]


def _job(folder: Path, tables: TablesAt, way: ParallelismConfig, setting: Setting) -> FitJob:
    folder.mkdir()
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")
    experiment = client.create_experiment(folder.name, str(folder / "artifacts"))
    return FitJob(
        use_case="recommender",
        run_folder=str(folder),
        tables=tables,
        windows=(WINDOW,),
        known_windows=(WINDOW,),
        validation=Validation(window="none"),  # the last weights are compared, not the best
        parallelism=way,
        config=setting.config(),
        features={"max_length": SIZES.length},
        tracking_uri=client.tracking_uri,
        run_id=client.create_run(experiment).info.run_id,
    )


def _compared(reference: FitJob, job: FitJob, setting: Setting) -> Compared:
    loss, wanted = _losses(job), _losses(reference)
    if {len(loss), len(wanted)} != {setting.steps}:
        raise ValueError(
            f"{job.run_folder}: {len(loss)} steps, one process {len(wanted)}, wanted {setting.steps} in both."
        )
    weights, whole = _weights(job), _weights(reference)
    return Compared(
        job.parallelism, setting, float((loss - wanted).abs().max()), float((weights - whole).norm() / whole.norm())
    )


def _losses(job: FitJob) -> torch.Tensor:
    steps = account(Path(job.run_folder) / LEDGER).steps
    return torch.tensor([steps[number].loss for number in sorted(steps)], dtype=torch.float64)


def _weights(job: FitJob) -> torch.Tensor:
    result = FitResult.model_validate_json((Path(job.run_folder) / "result.json").read_text(encoding="utf-8"))
    tensors: Mapping[str, torch.Tensor] = load_file(Path(result.checkpoint) / "model.safetensors")
    return torch.cat([tensors[name].double().flatten() for name in sorted(tensors)])


def table(found: Sequence[Compared]) -> str:
    """Return it in Markdown."""
    rows = [each.row() for each in found]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Compare all ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracking-uri", default="sqlite:///var/mlflow.db", help="MLflow's server or database")
    uri = parser.parse_args().tracking_uri
    with tempfile.TemporaryDirectory(prefix="equivalence-") as folder:
        found = compare(Path(folder), [way for world in (1, 2, 4) for way in ways(world)], SETTINGS)
    text = table(found)
    intro = (
        f"`make equivalence`: {EXACT.steps} steps, largest difference of a step's loss, and of the last weights (norm "
        "of the difference over the norm), from one process. Bars: 1e-9 in float64; in float32 1e-4 for the loss."
    )
    record("equivalence", f"## Every way of splitting computes the same\n\n{intro}\n\n{machine()}\n\n{text}\n")
    print(text)
    _keep(uri, found, text)
    if not all(each.equal for each in found):
        sys.exit("Not every way of splitting computes the same: see `**no**` above.")


def _keep(uri: str, found: Sequence[Compared], text: str) -> None:
    """Store the table on an MLflow run."""
    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name("equivalence")
    artifacts = Path("var/artifacts/equivalence").resolve()
    experiment = known.experiment_id if known else client.create_experiment("equivalence", str(artifacts))
    run = client.create_run(experiment)
    rows = [each.row() for each in found]
    client.log_table(run.info.run_id, {name: [str(row[name]) for row in rows] for name in rows[0]}, "equivalence.json")
    client.log_text(run.info.run_id, text, "equivalence.md")
    for precision in sorted({each.setting.precision for each in found}):
        own = [each for each in found if each.setting.precision == precision]
        client.log_metric(run.info.run_id, f"{precision}/loss", max(each.loss for each in own))
        client.log_metric(run.info.run_id, f"{precision}/weights", max(each.weights for each in own))
    client.set_terminated(run.info.run_id)
    print(f"MLflow run {run.info.run_id} of experiment `equivalence` at {uri}")


if __name__ == "__main__":
    main()
