"""What keeps both sides of a split apart: no subject is on both, and no picture with its twin on the other.

Of rows that were made before there were bands nobody knows whose twins they are; a subject is one where it is named.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.job import EvaluateJob, FitJob, Validation
from data_contracts.vision import twins
from data_contracts.vision.examples import BANDS
from models.reading import on_its_days
from models.twins import Flags, Likeness, Twins, seen_before
from models.vision.reading import batches

VALIDATING_SHARE = 20
"""One subject in so many validates, or one image of those that name none."""
LIKENESS = Likeness(twins.keys, twins.are_twins)
"""When pictures are twins."""


def bands_of(batch: pa.RecordBatch | pa.Table) -> NDArray[np.int64]:
    """Return column ``bands``, (rows, BANDS); `twins.UNKNOWN` where it is null."""
    found = np.full((batch.num_rows, BANDS), twins.UNKNOWN, np.int64)
    is_there = batch["bands"].is_valid().to_numpy(zero_copy_only=False)
    found[is_there] = pc.list_flatten(batch["bands"]).to_numpy().reshape(-1, BANDS)
    return found


def validates(batch: pa.RecordBatch, window: str, validation: Validation) -> pa.Array:
    """Say which images validate, by a checksum of the subject, or else of the picture: the same do in every night."""
    if window != validation.window:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    drawn_by = zip(batch["subject_id"].to_pylist(), batch["pixels"].to_pylist(), strict=True)
    sums = [zlib.crc32(pixels if subject is None else subject.encode()) for subject, pixels in drawn_by]
    return pa.array([validation.whole or number % VALIDATING_SHARE == 0 for number in sums], pa.bool_())


class Validating:
    """The images that validate: nothing is learned from their twins, and from what shows the same subject.

    Args:
        job: Names the window that they are of.
    """

    def __init__(self, job: FitJob) -> None:
        self.left_out = 0
        window = job.validation.window
        pieces = batches(job.tables, [window], ["pixels", "subject_id", "bands"])
        kept = [
            piece.filter(validates(piece, window, job.validation)).select(["subject_id", "bands"]) for piece in pieces
        ]
        self._subjects = _different(piece["subject_id"] for piece in kept)
        self._twins = Twins(_together(map(bands_of, kept)), LIKENESS)

    def without_known(self, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
        """Leave these out, and count them."""
        is_known = self._twins.met(bands_of(batch)) | _is_in(batch["subject_id"], self._subjects)
        self.left_out += int(is_known.sum())
        return batch.filter(pa.array(~is_known))


class Judging(NamedTuple):
    """Which images of a window judge, of those of its own days, in order.

    Attributes:
        judges: Whether each does, (images,).
        twins: Images that show what one of an older window shows, or one before them.
        known_subjects: Other images, of subjects that an older window has.
        late: Images of days before the window's; none of ``judges`` is about them.
    """

    judges: Flags
    twins: int
    known_subjects: int
    late: int


def judging(job: EvaluateJob) -> Judging:
    """Compare the window that judges with all that were before it."""
    columns = ["subject_id", "bands"]
    window = list(batches(job.tables, [job.window], [*columns, "seen_at"]))
    own = [on_its_days(batch, "seen_at", job) for batch in window]
    subjects = [batch["subject_id"] for batch in own]
    older = batches(job.tables, job.known_windows, ["bands"])
    is_twin = seen_before(_together(map(bands_of, own)), map(bands_of, older), LIKENESS)
    known = _known(_different(subjects), (b["subject_id"] for b in batches(job.tables, job.known_windows, columns[:1])))
    is_known = np.concatenate([np.zeros(0, np.bool_), *(_is_in(each, known) for each in subjects)])
    late = sum(batch.num_rows for batch in window) - len(is_twin)
    return Judging(~(is_twin | is_known), int(is_twin.sum()), int((is_known & ~is_twin).sum()), late)


def judged(job: EvaluateJob, found: Judging, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the images that judge."""
    start = 0
    for batch in batches(job.tables, [job.window], [*columns, "seen_at"]):
        own = on_its_days(batch, "seen_at", job)
        yield own.filter(pa.array(found.judges[start : start + own.num_rows]))
        start += own.num_rows


def _together(pieces: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty((0, BANDS), np.int64), *pieces])


def _different(pieces: Iterable[pa.Array]) -> pa.Array:
    """Return all different texts."""
    return pc.unique(pa.chunked_array([pc.unique(pc.drop_null(piece)) for piece in pieces], pa.string()))


def _known(wanted: pa.Array, pieces: Iterable[pa.Array]) -> pa.Array:
    """Return those of some texts that are in others, too."""
    return _different(piece.filter(pc.is_in(piece, value_set=wanted)) for piece in pieces)


def _is_in(column: pa.Array | pa.ChunkedArray, texts: pa.Array) -> Flags:
    found: Flags = pc.is_in(column, value_set=texts).to_numpy(zero_copy_only=False)
    return found
