"""What a job is told and answers: ``job.json`` in, ``result.json`` out, both in the job's own folder.

A job is a process of its own (``python -m models.fit job.json``). Its answer is staged and renamed, so a
``result.json`` that is there is whole. An exit code alone is never trusted.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, JsonValue, PositiveFloat, PositiveInt

from data_contracts.days import Zone
from data_contracts.night import UseCaseName, Value
from data_contracts.parallelism import ParallelismConfig

JOB, RESULT, HEARTBEAT = "job.json", "result.json", "progress/heartbeat.json"
"""Files of a job's folder."""
FAILURES, DEVICES = "failures", "devices"
"""Folders of a training's: a file of each process that failed for good, and of each host, what it trains on."""
BEGAN = "began"
"""File of a training's: when it was started first, seconds since 1970."""
TRAINING, LEDGER, CHECKPOINT = "training", "ledger", "checkpoint"
"""Folders of a training's: checkpoints that it goes on from, what it saw, and the weights it came to."""
JUDGING, RIVALS = "evaluate", "rivals"
"""Folder of a run where it is judged; in it are the weights of rivals, in folders called as they are."""

Config = dict[str, JsonValue]
AnyValue = TypeVar("AnyValue", bound=Value)


class TablesAt(Value):
    """Tables as one night recorded them."""

    folder: str = Field(description="URI under which every table has a folder of its own.")
    versions: dict[str, int] = Field(description="Table name to version.")


class Validation(Value):
    """Which examples decide about early stopping, and are left out of training."""

    window: str = Field(description="Key of the window.")
    whole: bool = Field(False, description="All of it; otherwise a twentieth of its units, the same every night.")


class CheckpointConfig(BaseModel, frozen=True, extra="forbid"):
    """How often a training is saved, beside the end of every epoch."""

    every_seconds: PositiveFloat = Field(60.0, description="From one checkpoint to the next, in mid-epoch.")
    kept: int = Field(2, ge=2, description="The newest, and those to fall back to when it is damaged.")


class FitJob(Value):
    """Train one model."""

    use_case: UseCaseName
    run_folder: str
    tables: TablesAt
    windows: tuple[str, ...] = Field(description="Keys of the windows trained on in full, oldest first.")
    replayed: tuple[str, ...] = Field((), description="Older windows, from which examples are drawn as well.")
    replay: float = Field(0.0, description="Examples drawn from `replayed`, as a multiple of those in `windows`.")
    known_windows: tuple[str, ...] = Field(description="Windows that the model may know.")
    validation: Validation
    warm_start: str | None = Field(None, description="Bundle to start from, verified first.")
    parallelism: ParallelismConfig = ParallelismConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    max_seconds: PositiveFloat | None = Field(None, description="No epoch is begun that would end later.")
    config: Config = Field(description="`model` settings, checked by their owner, models/<use case>/config.py.")
    features: Config = Field(description="`features` settings under which the tables were made.")
    tracking_uri: str
    run_id: str


class FitResult(Value):
    """A trained model's weights."""

    checkpoint: str = Field(description="Folder with `model.safetensors`, `model.json`, and files of sharded rows.")
    epochs: int
    samples: int = Field(description="Examples seen, repeats counted.")
    metrics: dict[str, float]
    remark: str = Field("", description="For people: what was unusual.")


class Failure(Value):
    """Why a process failed in a way in which it would fail again: the training is not started once more."""

    message: str


class Devices(Value):
    """What a host trains on: said before it meets the others."""

    gpus: int = Field(description="That its processes may use.")
    processes: PositiveInt


class RendezvousJob(Value):
    """Let the agents of a training meet."""

    host: str = Field(description="Address to listen on.")
    port: int = Field(description="0 takes any free one.")


class RendezvousResult(Value):
    """Where they meet."""

    endpoint: str = Field(description="Host and port.")


class Heartbeat(Value):
    """How far a training is."""

    epoch: int = Field(description="From 0.")
    epochs: int = Field(description="At most.")
    step: int = Field(description="Done in this epoch.")
    steps: PositiveInt = Field(description="In this epoch.")
    pace: float = Field(description="Examples a second, lately.")

    @property
    def share(self) -> float:
        """Of all epochs, what is done."""
        return (self.epoch + self.step / self.steps) / self.epochs

    def __str__(self) -> str:
        return f"epoch {self.epoch}, step {self.step:,} of {self.steps:,}, {self.pace:,.0f} examples/s"


class EvaluateJob(Value):
    """Judge contestants on the newest window."""

    use_case: UseCaseName
    tables: TablesAt
    window: str = Field(description="Key of the window that judges.")
    first_day: date | None = Field(
        None, description="Its first day: what is older came late, and does not judge. None without days."
    )
    day_zone: Zone = Field("UTC", description="Whose days these are.")
    known_windows: tuple[str, ...] = Field(
        description="Windows before it, oldest first: all that baselines may be counted on."
    )
    validation: Validation
    contestants: dict[str, str] = Field(description="Contestant to the folder of its weights.")
    metric: str | None = Field(None, description="Decides; the use case's own choice when None.")
    config: Config
    features: Config
    work_folder: str = Field(description="The job's own; `RIVALS` is in it.")


class PublishJob(Value):
    """Turn weights into a bundle, and log it once as a LoggedModel of the run."""

    use_case: UseCaseName
    checkpoint: str
    tables: TablesAt
    known_windows: tuple[str, ...]
    first_day: date | None = Field(None, description="First day after them; None where windows have no days.")
    trained_through: str
    day_zone: Zone = Field("UTC", description="Whose days these are.")
    tracking_uri: str
    run_id: str
    config: Config
    features: Config
    work_folder: str


class PublishResult(Value):
    """A logged model."""

    model_id: str
    model_uri: str
    example: Config = Field(description="A request as people would ask it, JSON.")


def read(path: Path, kind: type[AnyValue]) -> AnyValue:
    """Read one value from a JSON file.

    Raises:
        FileNotFoundError: ``path`` is not there.
        pydantic.ValidationError: It does not hold a ``kind``.
    """
    return kind.model_validate_json(path.read_text(encoding="utf-8"))


def fail(job: FitJob, who: str, message: str) -> None:
    """Write down why a process of a training, or a host, failed for good."""
    folder = Path(job.run_folder) / FAILURES
    folder.mkdir(exist_ok=True)
    commit(Failure(message=message), folder / f"{who}.json")


def commit(value: Value, path: Path) -> None:
    """Write ``value`` so that ``path`` is either as before or whole, also after a loss of power.

    One process at a time. What is left beside it by a kill, or by a full disk, the next commit takes.
    """
    staged = path.with_name(f".{path.name}.staged")
    with staged.open("w", encoding="utf-8") as file:
        file.write(value.model_dump_json(indent=2))
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
