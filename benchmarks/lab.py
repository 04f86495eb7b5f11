"""Starts trainings for measurement: each in processes of its own, one thread in each, and reads their clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from benchmarks.clock import Clock, clock_of
from benchmarks.sizes import Sizes
from benchmarks.tables import WINDOW, made_up, write_tables
from data_contracts.job import CheckpointConfig, FitJob, FitResult, TablesAt, Validation, read
from data_contracts.parallelism import ParallelismConfig
from tasks.job import JobFailedError, failure, follow, run_job
from tasks.train.agent import launcher, tuned

ENVIRONMENT = tuned(threads=1)
"""Of every process that is measured, peers too: as a training's own."""
ALONE = ParallelismConfig(processes_per_node=1)
CHECKPOINTS = CheckpointConfig(every_seconds=20)
"""Three times as often as by default: a training here is short, and one must fall into it."""


@dataclass
class Lab:
    """Where trainings are measured.

    Attributes:
        folder: Of its own, empty.
        peer: Python of the environment that RecTools is installed in.
    """

    folder: Path
    peer: Path = Path("python")
    _made: dict[tuple[int, ...], tuple[TablesAt, Path]] = field(default_factory=dict)
    _runs: int = 0

    def __post_init__(self) -> None:
        self._client = MlflowClient(tracking_uri=f"sqlite:///{self.folder}/mlflow.db")
        self._experiment = self._client.create_experiment("benchmark", str(self.folder / "artifacts"))

    def fit(self, sizes: Sizes, parallelism: ParallelismConfig = ALONE, *, full_softmax: bool = False) -> list[Clock]:
        """Train as shipped, and return the clock of every process."""
        job = self.job(sizes, parallelism, full_softmax=full_softmax)
        run_job(
            "benchmarks.clocked", job, Path(job.run_folder), FitResult,
            launcher=launcher(parallelism), environment=ENVIRONMENT, on_line=_ignore,
        )  # fmt: skip
        return [read(clock_of(job, rank), Clock) for rank in range(parallelism.worlds[0])]

    def job(self, sizes: Sizes, parallelism: ParallelismConfig, *, full_softmax: bool = False) -> FitJob:
        """Return a new training, in a folder of its own that is not made yet."""
        return FitJob(
            use_case="recommender",
            run_folder=str(self._folder("fit")),
            tables=self._tables(sizes)[0],
            windows=(WINDOW,),
            known_windows=(WINDOW,),
            validation=Validation(window="none"),  # nobody validates: only training is measured
            parallelism=parallelism,
            checkpoints=CHECKPOINTS,
            config=sizes.model(full_softmax=full_softmax),
            features={"max_length": sizes.length},
            tracking_uri=self._client.tracking_uri,
            run_id=self._client.create_run(self._experiment).info.run_id,
        )

    def run(self, module: str, sizes: Sizes) -> Clock:
        """Run another module on the same job, in one process."""
        job = self.job(sizes, ALONE)
        return run_job(module, job, Path(job.run_folder), Clock, environment=ENVIRONMENT, on_line=_ignore)

    def train_peer(self, sizes: Sizes, loss: str) -> Clock:
        """Train RecTools' SASRec on the same events.

        Raises:
            JobFailedError: It did not come to its end.
        """
        folder = self._folder("peer")
        folder.mkdir()
        told, log = folder / "told.json", folder / "log.txt"
        model = {
            "n_blocks": sizes.blocks,
            "n_heads": 2,
            "n_factors": sizes.width,
            "dropout_rate": 0.1,
            "session_max_len": sizes.length,
            "loss": loss,
            "n_negatives": sizes.negatives,
            "lr": 2e-3,
            "batch_size": sizes.batch,
        }
        told.write_text(json.dumps({"events": str(self._tables(sizes)[1]), "model": model}), encoding="utf-8")
        script = Path(__file__).with_name("peer.py")
        code = follow([str(self.peer), "-W", "ignore", str(script), str(told)], log, ENVIRONMENT, _ignore, _always)
        if code != 0:
            raise JobFailedError(failure("benchmarks/peer.py", code, log))
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return Clock(steps=tuple(found["steps"]))

    def _folder(self, name: str) -> Path:
        self._runs += 1
        return self.folder / f"{name}-{self._runs}"

    def _tables(self, sizes: Sizes) -> tuple[TablesAt, Path]:
        """Make up the logs of these sizes, once."""
        key = (sizes.users, sizes.events, sizes.items)
        if key not in self._made:
            item_UE = made_up(sizes)
            folder = self._folder("tables")
            tables = write_tables(folder, item_UE)
            np.save(folder / "events.npy", item_UE)
            self._made[key] = tables, folder / "events.npy"
        return self._made[key]


def _ignore(_: str) -> None:
    """Leave a line of the log in the log."""


def _always() -> bool:
    """Nobody stops it."""
    return True
