"""What was seen when: for every step and process the number of examples, a digest of them, and the loss.

Each start of a training writes files of its own, so steps that were done again after a loss stand there twice. Digests
of examples add up whatever the number of processes. Where each process takes steps by itself a line is of a whole step,
written before its gradient is sent: a step that was learned is in the ledger, whoever died, and perhaps twice.
`models.audit` reads what is written here.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.utilities.types import STEP_OUTPUT

from models.distributed.strategy import GangStrategy
from models.layered import IDLE, Batch

WHOLE = "whole"
"""In a file's name: its lines are of whole steps."""


class Ledger(pl.Callback):
    """Writes a line for every step.

    Args:
        folder: Made when absent; seen by every process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Begin a file of this start and process; the first process numbers the starts, whatever its clock says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        start = trainer.strategy.broadcast(1 + max(starts_in(self.folder), default=0))
        assert isinstance(trainer.strategy, GangStrategy)
        whole = "" if trainer.strategy.together else f"-{WHOLE}"
        path = self.folder / f"{start}-{trainer.global_step}-{trainer.global_rank}{whole}.jsonl"
        self._file = path.open("w", encoding="utf-8", buffering=1)  # a line at a time: it is killed, not closed

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: STEP_OUTPUT,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Write what this process saw in a step."""
        if batch.step == IDLE:
            return
        assert isinstance(outputs, dict)
        assert isinstance(trainer.strategy, GangStrategy)
        rows = batch.rows if trainer.strategy.speaks_for_its_share else batch.rows[:0]
        line = [trainer.current_epoch, batch.step, len(rows), digest(rows), float(outputs["loss"])]
        self._file.write(json.dumps(line) + "\n")

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """Have it on disk before the steps that it tells of."""
        os.fsync(self._file.fileno())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Wait until every process has written its last line."""
        self._file.close()
        trainer.strategy.barrier()


def digest(rows: NDArray[np.int64]) -> int:
    """Return a number that says with all but certainty which examples these are: hashes, added modulo 2^64.

    Source:
        The mixing function of SplitMix64, Steele et al., "Fast splittable pseudorandom number generators", 2014.
    """
    hashed = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    return int((hashed ^ (hashed >> np.uint64(31))).sum(dtype=np.uint64))


def starts_in(folder: Path) -> dict[int, list[Path]]:
    """Return the files of each start of a training, by its number from 1."""
    starts: dict[int, list[Path]] = defaultdict(list)
    for path in folder.glob("*.jsonl"):
        starts[int(path.name.split("-")[0])].append(path)
    return starts
