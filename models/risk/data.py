"""Transactions as batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.job import FitJob
from models.batches import Share
from models.data import Data
from models.risk.config import RiskConfig
from models.risk.module import Batch, Targets
from models.risk.rows import Floats, Rows
from models.risk.split import learned_from, validated_on


@dataclass(frozen=True)
class Transactions:
    """Transactions with a label, as examples; memory-mapped."""

    inputs: Floats
    labels: Floats
    origin: str

    def __len__(self) -> int:
        return len(self.labels)

    def targets(self) -> NDArray[np.int64]:
        """Each has one."""
        return np.ones(len(self), np.int64)

    def lengths(self) -> NDArray[np.int64]:
        """All are the same work."""
        return np.ones(len(self), np.int64)

    def batch(self, rows: NDArray[np.int64], share: Share) -> Batch:
        """Make the tensors of these."""
        missing = max(share.height - len(rows), 0)
        inputs = np.pad(self.inputs[rows], ((0, missing), (0, 0)))
        labels = np.concatenate([self.labels[rows], np.full(missing, np.nan, np.float32)])
        targets = Targets(torch.from_numpy(labels), share.targets)
        return Batch(torch.from_numpy(inputs), targets, share.examples, rows, self.origin)


class RiskData(Data[Transactions]):
    """Reads a job's windows; see `models.risk.split`."""

    def __init__(self, job: FitJob) -> None:
        super().__init__(job, RiskConfig.model_validate(job.config).fit)

    def read(self, folder: Path) -> None:
        """Write what is learned from, and what validates.

        Raises:
            ValueError: There is nothing to learn from.
        """
        parts = {"training": learned_from(self.job, self.fit.seed), "validation": validated_on(self.job)}
        for name, rows in parts.items():
            _write(rows, folder / name)

    def open(self, folder: Path) -> tuple[Transactions, Transactions]:
        """Map them into memory."""
        origin = ", ".join((*self.job.replayed, *self.job.windows))
        training, validation = (_open(folder / name, origin) for name in ("training", "validation"))
        return training, validation


def _open(path: Path, origin: str) -> Transactions:
    inputs, labels = (np.load(f"{path}-{what}.npy", mmap_mode="r") for what in Rows._fields)
    return Transactions(inputs, labels, origin)


def _write(rows: Rows, path: Path) -> None:
    for what, values in rows._asdict().items():
        np.save(f"{path}-{what}.npy", values)
