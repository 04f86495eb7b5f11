"""What vision learns from: examples of the recorded tables, as batches of bytes. Shape letters: N images, B rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from data_contracts.job import FitJob
from data_contracts.vision.pictures import Pixels
from models.batches import Share
from models.data import Data
from models.reading import drawn
from models.vision.apart import Validating, validates
from models.vision.augment import augmented
from models.vision.config import AugmentConfig, VisionConfig
from models.vision.module import NO_CLASS, Batch, Targets
from models.vision.reading import LEARNED, Form, batches, classes, dataset_of

_KINDS = ("training", "validation")
_PIXELS, _CLASSES = "pixels", "classes"
_COLUMNS = (*LEARNED, "subject_id", "bands")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pictures:
    """Images, as examples.

    Attributes:
        pixels_NHWC: uint8.
        class_N: Number of each one's class.
        origin: Where they are from.
        augment: What is done to them, with the training's seed; nothing where they validate.
        seed: Of the training.
    """

    pixels_NHWC: Pixels
    class_N: NDArray[np.int64]
    origin: str
    augment: AugmentConfig
    seed: int

    def __len__(self) -> int:
        return len(self.class_N)

    def targets(self) -> NDArray[np.int64]:
        """Each has one."""
        return np.ones(len(self), np.int64)

    def lengths(self) -> NDArray[np.int64]:
        """All are the same work."""
        return np.ones(len(self), np.int64)

    def batch(self, rows: NDArray[np.int64], share: Share) -> Batch:
        """Move and mirror the pictures of these, and fill up with black ones that show nothing."""
        padding = max(share.height - len(rows), 0)
        seen = augmented(self.pixels_NHWC[rows], rows, self.augment, seed=self.seed, step=share.step)
        pixels = torch.from_numpy(np.pad(seen, ((0, padding), (0, 0), (0, 0), (0, 0))))
        class_B = torch.from_numpy(np.pad(self.class_N[rows], (0, padding), constant_values=NO_CLASS))
        return Batch(pixels, Targets(class_B, share.targets), share.examples, rows, self.origin)


class VisionData(Data[Pictures]):
    """Reads a job's windows, replays older ones, and keeps some images apart to validate on.

    Args:
        job: Names the tables, their versions and windows.
    """

    settings: ClassVar[type[VisionConfig]] = VisionConfig

    def __init__(self, job: FitJob) -> None:
        self.config = self.settings.model_validate(job.config)
        self.form = Form.of(job.features)
        super().__init__(job, self.config.fit)

    def read(self, folder: Path) -> None:
        """Write the pixels and classes of both kinds, a few images at a time.

        Raises:
            ValueError: There is nothing to train on.
        """
        job = self.job
        validating = Validating(job)
        with _written(folder / "training") as training, _written(folder / "validation") as validation:
            for window in sorted({*job.windows, job.validation.window}):
                for batch in batches(job.tables, [window], _COLUMNS):
                    is_kept = validates(batch, window, job.validation)
                    validation.add(batch.filter(is_kept))
                    if window in job.windows:
                        training.add(validating.without_known(batch.filter(pc.invert(is_kept))))
            for piece in self._drawn(round(job.replay * training.images)):
                training.add(validating.without_known(piece))
        logger.info(
            "%s images are twins of one that validates, or show its subject: nothing is learned from them",
            f"{validating.left_out:,}",
        )
        if not training.images:
            raise ValueError(
                f"no labelled image to learn from in windows {', '.join(job.windows)} of {job.tables.folder}: "
                f"{validation.images:,} validate, and {validating.left_out:,} show what these do. Wait for labels, or "
                "see which columns label and subject_id are read from (source.columns, labels.columns)."
            )

    def _drawn(self, wanted: int) -> Iterator[pa.Table]:
        job, seed = self.job, self.config.fit.seed
        dataset, night = dataset_of(job.tables), job.known_windows[-1]
        return drawn(dataset, job.replayed, wanted, seed=seed, night=night, columns=_COLUMNS)

    def open(self, folder: Path) -> tuple[Pictures, Pictures]:
        """Map them into memory."""
        training, validation = (self._open(folder / kind, self.augment_of(kind)) for kind in _KINDS)
        return training, validation

    def augment_of(self, kind: str) -> AugmentConfig:
        """Return what is done to pictures: to those that validate nothing."""
        return self.config.augment if kind == "training" else AugmentConfig(shift=0, flip=False)

    def _open(self, folder: Path, augment: AugmentConfig) -> Pictures:
        class_N = np.load(folder / _CLASSES)
        shape = (len(class_N), *self.form.shape)
        pixels = np.memmap(folder / _PIXELS, np.uint8, "r", shape=shape) if len(class_N) else np.empty(shape, np.uint8)
        return Pictures(pixels, class_N, ", ".join(self.job.windows), augment, self.config.fit.seed)


class _Writer:
    """Writes images one after another."""

    def __init__(self, pixels: BinaryIO) -> None:
        self._pixels = pixels
        self.classes = [np.empty(0, np.int64)]
        self.images = 0

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Write some more."""
        self._pixels.writelines(batch["pixels"].to_pylist())
        self.classes.append(classes(batch))
        self.images += batch.num_rows


@contextmanager
def _written(folder: Path) -> Iterator[_Writer]:
    folder.mkdir()
    with (folder / _PIXELS).open("wb") as pixels:
        writer = _Writer(pixels)
        yield writer
    with (folder / _CLASSES).open("wb") as file:
        np.save(file, np.concatenate(writer.classes))
