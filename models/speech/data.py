"""What speech learns from: the recorded frames of all recordings, one behind the other, and what is said in them.

Shape letters: N recordings, F frames of all of them, M bands, B rows, T frames of the longest row, S its characters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from data_contracts.job import FitJob
from data_contracts.language.spelling import Characters
from data_contracts.speech.log_mel import Frames
from models.batches import Share
from models.data import Data
from models.language.reading import symbols
from models.reading import drawn
from models.speech.apart import Validating, validates
from models.speech.augment import augmented, longest
from models.speech.config import SpeechAugmentConfig, SpeechConfig
from models.speech.module import Batch, Targets
from models.speech.reading import batches, dataset_of

_KINDS = ("training", "validation")
_FRAMES, _ENDS, _SYMBOLS = "frames", "ends", "symbols"
_COLUMNS = ("log_mel", "frames", "text", "digest")

Numbers = NDArray[np.int64]
Own = TypeVar("Own", bound=np.generic)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recordings:
    """Recordings, as examples.

    Attributes:
        frame_FM: float16, of one recording behind the other.
        frame_end_N: Where those of each end.
        symbol_S: Numbers of the characters of all texts.
        symbol_end_N: Where those of each end.
        subsampling: Frames that become one place.
        origin: Where they are from.
        augment: What is done to them; None where they validate.
        seed: Of the training.
    """

    frame_FM: Frames
    frame_end_N: Numbers
    symbol_S: Numbers
    symbol_end_N: Numbers
    subsampling: int
    origin: str
    augment: SpeechAugmentConfig | None
    seed: int

    def __len__(self) -> int:
        return len(self.frame_end_N)

    def targets(self) -> Numbers:
        """Count the characters of each."""
        return np.diff(self.symbol_end_N, prepend=0)

    def lengths(self) -> Numbers:
        """Count the frames of each."""
        return np.diff(self.frame_end_N, prepend=0)

    def batch(self, rows: Numbers, share: Share) -> Batch:
        """Change the sounds of these as other recordings might be, and fill up with such as say nothing."""
        height, mels = max(share.height, len(rows)), self.frame_FM.shape[1]
        heard = [self._heard(row, share.step) for row in rows.tolist()]
        said = [_own(self.symbol_S, self.symbol_end_N, row) for row in rows.tolist()]
        frames, characters = self._most() if share.fixed else (_longest(heard), _longest(said))
        frame_BTM = np.zeros((height, frames, mels), np.float32)
        symbol_BS = np.zeros((height, characters), np.int64)
        size_B, place_B = np.zeros(height, np.int64), np.ones(height, np.int64)
        for place, (sound, text) in enumerate(zip(heard, said, strict=True)):
            frame_BTM[place, : len(sound)], symbol_BS[place, : len(text)] = sound, text
            size_B[place], place_B[place] = len(text), -(-len(sound) // self.subsampling)
        symbols, sizes, own = (torch.from_numpy(each) for each in (symbol_BS, size_B, place_B))
        targets = Targets(symbols, sizes, own, share.targets)
        return Batch(torch.from_numpy(frame_BTM), targets, share.examples, rows, self.origin)

    def _heard(self, row: int, step: int) -> NDArray[np.float32]:
        frame_TM = _own(self.frame_FM, self.frame_end_N, row)
        if self.augment is None:
            return frame_TM.astype(np.float32)
        fewest = self.subsampling * places_of(_own(self.symbol_S, self.symbol_end_N, row))
        return augmented(frame_TM, row, self.augment, seed=self.seed, step=step, fewest=fewest)

    def _most(self) -> tuple[int, int]:
        """Return the most frames and characters that a row may have: where all batches have one shape."""
        frames, characters = (int(each.max(initial=1)) for each in (self.lengths(), self.targets()))
        return (longest(frames, self.augment) if self.augment else frames), characters


class SpeechData(Data[Recordings]):
    """Reads a job's windows, replays older ones, and keeps some recordings apart to validate on.

    Args:
        job: Names the tables, their versions and windows.
    """

    def __init__(self, job: FitJob) -> None:
        self.config = SpeechConfig.model_validate(job.config)
        self.mels = int(str(job.features["mels"]))
        super().__init__(job, self.config.fit)

    def read(self, folder: Path) -> None:
        """Write the frames and characters of both kinds, a few recordings at a time.

        Raises:
            ValueError: There is nothing to train on.
        """
        job = self.job
        own = Characters(symbols(job.tables, job.known_windows))
        validating = Validating(job)
        with self._written(folder / "training", own) as training, self._written(folder / "validation", own) as other:
            for window in sorted({*job.windows, job.validation.window}):
                for batch in batches(job.tables, [window], _COLUMNS):
                    is_kept = validates(batch, window, job.validation)
                    other.add(batch.filter(is_kept))
                    if window in job.windows:
                        training.add(validating.without_copies(batch.filter(pc.invert(is_kept))))
            for piece in self._drawn(round(job.replay * len(training.frame_ends))):
                training.add(validating.without_copies(piece))
        logger.info("%s recordings are copies of one that validates: nothing is learned from them", validating.copies)
        if too_fast := training.too_fast + other.too_fast:
            logger.warning(
                "%s recordings have more to say than places of %s ms to say it at: nothing is learned from them. Are "
                "their texts those of other recordings? Else take model.network.subsampling: 2.",
                f"{too_fast:,}", 10 * self.config.network.subsampling,
            )  # fmt: skip
        if not training.frame_ends:
            raise ValueError(
                f"no transcribed recording to learn from in windows {', '.join(job.windows)} of {job.tables.folder}. "
                "Wait for transcripts, or see which column text is read from (source.columns, labels.columns)."
            )

    def _drawn(self, wanted: int) -> Iterator[pa.Table]:
        job, night = self.job, self.job.known_windows[-1]
        seed = self.config.fit.seed
        return drawn(dataset_of(job.tables), job.replayed, wanted, seed=seed, night=night, columns=_COLUMNS)

    @contextmanager
    def _written(self, folder: Path, own: Characters) -> Iterator[_Writer]:
        folder.mkdir()
        with (folder / _FRAMES).open("wb") as frames, (folder / _SYMBOLS).open("wb") as numbers:
            writer = _Writer(frames, numbers, own, self.config.network.subsampling)
            yield writer
        np.savez(folder / _ENDS, frames=np.cumsum(writer.frame_ends), symbols=np.cumsum(writer.symbol_ends))

    def open(self, folder: Path) -> tuple[Recordings, Recordings]:
        """Map them into memory."""
        training, validation = (
            self._open(folder / kind, self.config.augment if kind == "training" else None) for kind in _KINDS
        )
        return training, validation

    def _open(self, folder: Path, augment: SpeechAugmentConfig | None) -> Recordings:
        with np.load(folder / f"{_ENDS}.npz") as ends:
            frame_ends, symbol_ends = (ends[name].astype(np.int64) for name in ("frames", "symbols"))
        there = len(frame_ends) > 0
        frames = np.memmap(folder / _FRAMES, np.float16, "r") if there else np.empty(0, np.float16)
        numbers = np.fromfile(folder / _SYMBOLS, np.int64)
        subsampling, origin = self.config.network.subsampling, ", ".join(self.job.windows)
        return Recordings(
            frames.reshape(-1, self.mels), frame_ends, numbers, symbol_ends,
            subsampling, origin, augment, self.config.fit.seed,
        )  # fmt: skip


class _Writer:
    """Writes recordings one behind the other."""

    def __init__(self, frames: BinaryIO, symbols: BinaryIO, own: Characters, subsampling: int) -> None:
        self._frames, self._symbols, self._own, self._subsampling = frames, symbols, own, subsampling
        self.frame_ends: list[int] = []
        self.symbol_ends: list[int] = []
        self.too_fast = 0

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Write some more: those in which there is room for what is said."""
        rows = zip(*(batch[name].to_pylist() for name in ("log_mel", "frames", "text")), strict=True)
        for log_mel, frames, text in rows:
            numbers = self._own.numbers(text.encode()).astype(np.int64)
            if places_of(numbers) > -(-frames // self._subsampling):
                self.too_fast += 1
                continue
            self._frames.write(log_mel)
            self._symbols.write(numbers.tobytes())
            self.frame_ends.append(frames)
            self.symbol_ends.append(len(numbers))


def places_of(number_S: Numbers) -> int:
    """Return how many places a text needs: one a character, and a blank between two that are the same."""
    return len(number_S) + int((number_S[1:] == number_S[:-1]).sum())


def _own(values: NDArray[Own], ends: Numbers, row: int) -> NDArray[Own]:
    return values[ends[row - 1] if row else 0 : ends[row]]


def _longest(rows: Iterable[NDArray[np.generic]]) -> int:
    return max(map(len, rows), default=1)
