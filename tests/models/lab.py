"""Trainings of one use case that are to be compared with each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from mlflow import MlflowClient
from pydantic import JsonValue

from data_contracts.job import JOB, RESULT, FitJob, FitResult, TablesAt, Validation, commit, read
from data_contracts.parallelism import ParallelismConfig
from models.recommender.weights import ITEM_ROWS, load
from tasks.job import LOG, JobFailedError, failure
from tests.databases import mlflow_in
from tests.models.ranks import run_ranks
from tests.models.recommender.tables import write_tables
from tests.models.recommender.walks import walks


@dataclass
class Lab:
    """Trains the same job under different circumstances."""

    folder: Path
    tables: TablesAt
    client: MlflowClient
    lines: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, *, steps: int = 10, max_length: int = 8) -> Lab:
        """Lay out 150 users' walks, of so many steps in the first window and a few in two more."""
        tables = write_tables(folder / "tables", walks({"a": steps, "b": 4, "c": 2}, users=150), max_length=max_length)
        return cls(folder, tables, MlflowClient(tracking_uri=mlflow_in(folder)))

    def job(self, name: str, processes: int, config: dict[str, JsonValue], tables: TablesAt | None = None) -> FitJob:
        experiment = self.client.get_experiment_by_name("lab")
        found = (
            experiment.experiment_id
            if experiment
            else self.client.create_experiment("lab", str(self.folder / "artifacts"))
        )
        return FitJob(
            use_case="recommender",
            run_folder=str(self.folder / name),
            tables=tables or self.tables,
            windows=("a", "b"),
            known_windows=("a", "b"),
            validation=Validation(window="b"),
            parallelism=ParallelismConfig(processes_per_node=processes, max_restarts=0),
            config=config,
            features={"max_length": 8},
            tracking_uri=self.client.tracking_uri,
            run_id=self.client.create_run(found).info.run_id,
        )

    def train(self, job: FitJob, fault: tuple[str, str, int] | None = None, *, memory: int | None = None) -> FitResult:
        """Train to the end, or until a process is killed at a commit point: before or after it, the n-th time.

        Each process may take ``memory`` bytes more than it has when it begins.
        """
        self.lines.clear()
        environment = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1"}
        if fault is not None:
            self.once = self.folder / f"killed-{uuid4().hex}"
            point, moment, count = fault
            environment |= {"FAULT_TARGET": "self", "FAULT_ONCE": str(self.once)}
            environment |= {"FAULT_POINT": point, "FAULT_MOMENT": moment, "FAULT_COUNT": str(count)}
        folder = Path(job.run_folder)
        folder.mkdir(exist_ok=True)
        (folder / RESULT).unlink(missing_ok=True)
        commit(job, folder / JOB)
        code = run_ranks(folder / JOB, job.parallelism.worlds[0], environment, folder / LOG, memory)
        self.lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
        if not (folder / RESULT).exists():
            raise JobFailedError(failure("models.fit", code, folder / LOG))
        return read(folder / RESULT, FitResult)

    def killed(self, job: FitJob, point: str, moment: str, count: int = 1) -> list[int]:
        """Train until a process is killed, and return the epochs that came to their end."""
        with pytest.raises(JobFailedError, match="no result"):
            self.train(job, (point, moment, count))
        assert self.once.exists(), self.lines
        return self.epochs()

    def epochs(self) -> list[int]:
        """Return the epochs that came to their end when it trained last."""
        return [int(found[1]) for line in self.lines if (found := re.search(r" epoch (\d+): ", line))]


def weights_of(result: FitResult) -> dict[str, torch.Tensor]:
    network = load(Path(result.checkpoint)).network
    return {**dict(network.named_parameters()), ITEM_ROWS: torch.cat([row_RD for _, row_RD in network.item.blocks()])}
