"""What language learns from: the recorded documents, one behind the other, cut into stretches of a network's context.

In each pass the stretches begin elsewhere: by how much follows from (seed, step, row), so it is the same in whichever
process, and after a crash. Shape letters: T symbols of all documents, B rows, L positions.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from data_contracts.job import FitJob, Validation
from data_contracts.language.examples import BANDS
from data_contracts.language.symbols import BOUNDARY
from models.batches import Share
from models.data import Data
from models.language.config import LanguageConfig
from models.language.module import NOTHING, Batch, Targets
from models.language.reading import bands_of, batches, count_symbols, documents
from models.rows.first_values import mixed
from models.twins import Twins

VALIDATING_SHARE = 20
"""One document in so many validates."""
_KINDS = ("training", "validation")
_SYMBOLS = "symbols"

Numbers = NDArray[np.int64]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stretches:
    """Stretches of text, as examples; each is to predict its own symbols but the first, and the one behind it.

    Attributes:
        symbol_T: int32; `BOUNDARY` before each document, and at the end.
        context: L.
        origin: Where they are from.
        seed: Of the training; None where they validate: then all begin where they do.
    """

    symbol_T: NDArray[np.int32]
    context: int
    origin: str
    seed: int | None

    def __len__(self) -> int:
        return math.ceil(max(len(self.symbol_T) - 1, 0) / self.context)

    def targets(self) -> Numbers:
        """Count what each predicts; the last one may have fewer."""
        if self.seed is not None:
            return np.full(len(self), min(self.context, len(self.symbol_T) - 1), np.int64)
        return np.minimum(self.context, len(self.symbol_T) - 1 - self.context * np.arange(len(self)))

    def lengths(self) -> Numbers:
        """All are the same work."""
        return np.ones(len(self), np.int64)

    def batch(self, rows: Numbers, share: Share) -> Batch:
        """Take these, and fill up with such as predict nothing."""
        height, L = max(share.height, len(rows)), self.context
        place_BL = self._begin(rows, share.step)[:, None] + np.arange(L + 1)
        there_BL = place_BL < len(self.symbol_T)
        read_BL = np.where(there_BL, self.symbol_T[np.where(there_BL, place_BL, 0)], BOUNDARY).astype(np.int64)
        symbol_BL, wanted_BL = np.full((height, L), BOUNDARY, np.int64), np.full((height, L), NOTHING, np.int64)
        symbol_BL[: len(rows)] = read_BL[:, :-1]
        wanted_BL[: len(rows)] = np.where(there_BL[:, 1:], read_BL[:, 1:], NOTHING)
        targets = Targets(torch.from_numpy(wanted_BL), share.targets)
        return Batch(torch.from_numpy(symbol_BL), targets, share.examples, rows, self.origin)

    def _begin(self, rows: Numbers, step: int) -> Numbers:
        """Return where rows begin: none so late that it could not predict as many symbols as the others."""
        own_B = rows * self.context
        if self.seed is None:
            return own_B
        with np.errstate(over="ignore"):
            of_step = mixed(mixed(np.array([self.seed], np.uint64)) + np.array([step], np.uint64))
            shift_B = mixed(rows.astype(np.uint64) + of_step) % np.uint64(self.context)
        latest = max(len(self.symbol_T) - 1 - self.context, 0)
        return np.minimum(own_B + shift_B.astype(np.int64), latest)


class LanguageData(Data[Stretches]):
    """Reads a job's windows, replays older ones, and keeps some documents apart to validate on.

    Args:
        job: Names the tables, their versions and windows.
    """

    def __init__(self, job: FitJob) -> None:
        self.config = LanguageConfig.model_validate(job.config)
        super().__init__(job, self.config.fit)

    def read(self, folder: Path) -> None:
        """Write the symbols of both kinds, a few documents at a time.

        Raises:
            ValueError: There is nothing to train on.
        """
        job = self.job
        validating = _validating(job)
        with _written(folder / "training") as training, _written(folder / "validation") as validation:
            for window in sorted({*job.windows, job.validation.window}):
                for batch in batches(job.tables, [window], ["symbols", "bands"]):
                    is_kept = _validates(batch, window, job.validation)
                    validation.add(batch.filter(is_kept))
                    if window in job.windows:
                        training.add(validating.without_twins(batch.filter(pc.invert(is_kept))))
            for batch in _drawn(job, job.replay * training.symbols, seed=self.config.fit.seed):
                training.add(validating.without_twins(batch))
        logger.info("%s documents say nearly what one says that validates: nothing is learned from", validating.twins)
        if not training.symbols:
            raise ValueError(
                f"no document to learn from in windows {', '.join(job.windows)} of {job.tables.folder}. Bring more."
            )

    def open(self, folder: Path) -> tuple[Stretches, Stretches]:
        """Map them into memory."""
        training, validation = (self._open(folder / kind, kind) for kind in _KINDS)
        return training, validation

    def _open(self, folder: Path, kind: str) -> Stretches:
        symbols = np.memmap(folder / _SYMBOLS, np.int32, "r")
        seed = self.config.fit.seed if kind == "training" else None
        return Stretches(symbols, self.config.context, ", ".join(self.job.windows), seed)


class _Writer:
    """Writes documents one behind the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.symbols = 0
        self.end()

    def add(self, batch: pa.RecordBatch) -> None:
        """Write some more."""
        for each in documents(batch):
            self._file.write(each.tobytes())
            self.end()
            self.symbols += len(each)

    def end(self) -> None:
        """End a document."""
        self._file.write(np.int32(BOUNDARY).tobytes())


@contextmanager
def _written(folder: Path) -> Iterator[_Writer]:
    folder.mkdir()
    with (folder / _SYMBOLS).open("wb") as file:
        yield _Writer(file)


class _Validating:
    """The documents that validate, by their bands."""

    def __init__(self, band_NB: Numbers) -> None:
        self._known = Twins(band_NB)
        self.twins = 0

    def without_twins(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Leave out documents that say nearly the same as one of them, and count these."""
        is_twin = self._known.met(bands_of(batch))
        self.twins += int(is_twin.sum())
        return batch.filter(pa.array(~is_twin))


def _validating(job: FitJob) -> _Validating:
    window = job.validation.window
    pieces = batches(job.tables, [window], ["bands"])
    kept = [bands_of(batch.filter(_validates(batch, window, job.validation))) for batch in pieces]
    return _Validating(np.concatenate([np.empty((0, BANDS), np.int64), *kept]))


def _drawn(job: FitJob, wanted: float, *, seed: int) -> Iterator[pa.RecordBatch]:
    """Draw documents of older windows, of each as its share of them all; others on another night.

    Args:
        job: Names the windows.
        wanted: Symbols, about.
        seed: Of the training.
    """
    windows = sorted(job.replayed) if wanted > 0 else []
    there = count_symbols(job.tables, windows, str(job.features["tokens"]))
    if not there:
        return
    of_night = np.random.SeedSequence([seed, *job.known_windows[-1].encode()]).generate_state(1, np.uint64)
    for batch in batches(job.tables, windows, ["symbols", "bands"]):
        with np.errstate(over="ignore"):
            draw = mixed(bands_of(batch)[:, 0].astype(np.uint64) + of_night)
        yield batch.filter(pa.array(draw / 2.0**64 < wanted / there, pa.bool_()))


def _validates(batch: pa.RecordBatch, window: str, validation: Validation) -> pa.Array:
    """Say which documents validate, by a number of their text: the same does in every night."""
    if window != validation.window:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    return pa.array((bands_of(batch)[:, -1] % VALIDATING_SHARE == 0) | validation.whole, pa.bool_())
