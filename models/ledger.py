"""What was seen when: for every step and process the number of examples, a digest of them, and the loss.

Each start of a training writes files of its own, so steps that were done again after a loss stand there twice; those
count that the last start before them did not do again. Digests of examples add up whatever the number of processes, so
`audit` sees with all but certainty whether every example was seen exactly once in every epoch.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from pytorch_lightning.utilities.types import STEP_OUTPUT

from models.distributed.strategy import GangStrategy
from models.layered import Batch

_MODULUS = 1 << 64


class LedgerError(Exception):
    """An epoch saw an example more or less than once; the message lists every such epoch."""


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
        start = trainer.strategy.broadcast(1 + max(_starts(self.folder), default=0))
        path = self.folder / f"{start}-{trainer.global_step}-{trainer.global_rank}.jsonl"
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
        assert isinstance(outputs, dict)
        assert isinstance(trainer.strategy, GangStrategy)
        rows = batch.rows if trainer.strategy.speaks_for_its_share else batch.rows[:0]
        line = [trainer.current_epoch, trainer.global_step - 1, len(rows), digest(rows), float(outputs["loss"])]
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


@dataclass
class Step:
    """What all processes together saw in a step.

    Attributes:
        epoch: From 0.
        examples: How many.
        digest: Their sum, modulo 2^64.
        loss: Mean over the global batch.
    """

    epoch: int
    examples: int = 0
    digest: int = 0
    loss: float = 0.0


@dataclass
class Account:
    """What a ledger says.

    Attributes:
        steps: Those that counted, by number.
        repeated: How many were done again after a loss.
        starts: How often the training started.
    """

    steps: dict[int, Step] = field(default_factory=dict)
    repeated: int = 0
    starts: int = 0


def digest(rows: NDArray[np.int64]) -> int:
    """Return a number that says with all but certainty which examples these are: hashes, added modulo 2^64.

    Source:
        The mixing function of SplitMix64, Steele et al., "Fast splittable pseudorandom number generators", 2014.
    """
    hashed = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
    return int((hashed ^ (hashed >> np.uint64(31))).sum(dtype=np.uint64))


def account(folder: Path) -> Account:
    """Read a ledger; a line that a kill cut short is left out."""
    starts = _starts(folder)
    found = Account(starts=len(starts))
    first_of_later = None
    for start in sorted(starts, reverse=True):
        seen: set[int] = set()
        for path in starts[start]:
            for epoch, step, examples, digested, loss in _lines(path):
                if first_of_later is not None and step >= first_of_later:
                    seen.add(step)
                    continue
                entry = found.steps.setdefault(step, Step(epoch))
                entry.examples += examples
                entry.digest = (entry.digest + digested) % _MODULUS
                entry.loss += loss
        found.repeated += len(seen)
        first = int(starts[start][0].name.split("-")[1])
        first_of_later = first if first_of_later is None else min(first, first_of_later)
    return found


def audit(account: Account, examples: int) -> None:
    """Check that every epoch saw each of ``examples`` exactly once.

    Raises:
        LedgerError: One did not.
    """
    wanted = digest(np.arange(examples))
    counts: dict[int, int] = defaultdict(int)
    digests: dict[int, int] = defaultdict(int)
    for step in account.steps.values():
        counts[step.epoch] += step.examples
        digests[step.epoch] = (digests[step.epoch] + step.digest) % _MODULUS
    problems = [
        f"epoch {epoch}: {counts[epoch]:,} seen, wanted {examples:,}"
        if counts[epoch] != examples
        else f"epoch {epoch}: as many as there are, but some twice and others never"
        for epoch in range(max(counts, default=0) + 1)
        if (counts[epoch], digests[epoch]) != (examples, wanted)
    ]
    if problems:
        raise LedgerError(
            "examples were not seen exactly once:\n  - "
            + "\n  - ".join(problems)
            + "\nThe model is not published. This is a fault of Nightshift or of the disk: please report it."
        )


def _starts(folder: Path) -> dict[int, list[Path]]:
    """Return the files of each start."""
    starts: dict[int, list[Path]] = defaultdict(list)
    for path in folder.glob("*.jsonl"):
        starts[int(path.name.split("-")[0])].append(path)
    return starts


def _lines(path: Path) -> list[tuple[int, int, int, int, float]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(tuple(json.loads(line)))
        except ValueError:
            continue
    return found
