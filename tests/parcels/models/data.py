"""Trips as batches. Shape letters: B rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_contracts.job import FitJob, TablesAt
from data_contracts.table import Table
from models import layered
from models.batches import Share
from models.data import Data
from models.reading import drawn
from tests.parcels.contracts.trips import TRIPS
from tests.parcels.models.config import ParcelConfig

VALIDATING_SHARE = 20
NUMBERS = ["log_km", "hours"]
Floats = NDArray[np.float32]


@dataclass
class Targets:
    """Hours, float (B,); NaN in rows that are only padding."""

    hours_B: Tensor
    total: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts``."""
        return [Targets(hours_B, self.total) for hours_B in self.hours_B.tensor_split(parts)]


Batch = layered.Batch[Targets]


@dataclass(frozen=True)
class Trips:
    """Trips, as examples: logarithms of kilometres and hours, (trips, 2)."""

    numbers: Floats
    origin: str

    def __len__(self) -> int:
        return len(self.numbers)

    def targets(self) -> NDArray[np.int64]:
        """Each has one."""
        return np.ones(len(self), np.int64)

    def lengths(self) -> NDArray[np.int64]:
        """All are the same work."""
        return np.ones(len(self), np.int64)

    def batch(self, rows: NDArray[np.int64], share: Share) -> Batch:
        """Make the tensors of these."""
        padding = np.full((max(share.height - len(rows), 0), 2), (0, np.nan), np.float32)
        numbers = torch.from_numpy(np.concatenate([self.numbers[rows], padding]))
        targets = Targets(numbers[:, 1], share.targets)
        return Batch(numbers[:, :1], targets, share.examples, rows, self.origin)


def read(tables: TablesAt, windows: tuple[str, ...]) -> Floats:
    """Read the trips of some windows, (trips, 2), always in the same order."""
    rows = Table(tables.folder, TRIPS).read(
        tables.versions[TRIPS.name],
        columns=NUMBERS,
        where=pc.field("window").isin(pa.array(windows, pa.string())),
    )
    found = numbers(rows)
    return found[np.lexsort(found.T)]


def numbers(rows: pa.Table) -> Floats:
    """Return what is learned of trips, (trips, 2)."""
    return np.stack([rows[name].to_numpy() for name in NUMBERS], axis=1)


class ParcelData(Data[Trips]):
    """Reads a job's windows; every twentieth trip of one of them validates."""

    def __init__(self, job: FitJob) -> None:
        super().__init__(job, ParcelConfig.model_validate(job.config).fit)

    def read(self, folder: Path) -> None:
        """Write what is learned from, and what validates."""
        job = self.job
        recent = read(job.tables, (job.validation.window,))
        validates = (np.arange(len(recent)) % VALIDATING_SHARE == 0) | job.validation.whole
        others = tuple(window for window in job.windows if window != job.validation.window)
        learned = np.concatenate([read(job.tables, others), recent[~validates]])
        older = Table(job.tables.folder, TRIPS).dataset(job.tables.versions[TRIPS.name])
        replayed = drawn(
            older,
            job.replayed,
            round(job.replay * len(learned)),
            seed=self.fit.seed,
            night=job.known_windows[-1],
            columns=NUMBERS,
        )
        np.save(folder / "training.npy", np.concatenate([learned, *map(numbers, replayed)]))
        np.save(folder / "validation.npy", recent[validates])

    def open(self, folder: Path) -> tuple[Trips, Trips]:
        """Map them into memory."""
        training, validation = (
            Trips(np.load(folder / f"{name}.npy"), ", ".join(self.job.windows)) for name in ("training", "validation")
        )
        return training, validation
