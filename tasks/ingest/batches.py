"""How the files of a night are shared out: cut where they are large, put together where they are small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tasks.ingest.config import PARQUET, SourceConfig
from tasks.ingest.encodings import has_plain_line_breaks
from tasks.ingest.lines import codec_of
from tasks.ingest.pieces import Piece
from tasks.ingest.sources import SourceFile

_BATCHES_OF_A_WORKER = 4
"""So that nobody waits long for whoever ends last."""
_SMALLEST, _LARGEST = 1024 * 1024, 64 * 1024 * 1024
"""Bytes of a batch, unless there are fewer in all, or a file cannot be cut."""
_FILE_BYTES = 64 * 1024
"""What it takes to open a file, in bytes that are read in that time. An empty one counts as many."""
_UNSURE = ("http:", "https:")
"""Servers of which nobody knows whether they send a file from its middle on."""


def batches(files: Sequence[SourceFile], source: SourceConfig, workers: int) -> Iterator[list[Piece]]:
    """Yield what one task reads: a range of a large file, or small files whole; in the order of the files."""
    fair = sum(map(_cost, files)) // (_BATCHES_OF_A_WORKER * max(workers, 1))
    most = min(max(fair, _SMALLEST), _LARGEST)
    held: list[Piece] = []
    cost = 0
    for file in files:
        own = _cost(file)
        if held and cost + own > most:
            yield held
            held, cost = [], 0
        if own > most and _can_be_cut(file, source):
            yield from ([piece] for piece in cut(file, -(-own // most)))
        else:
            held.append(Piece(file=file))
            cost += own
    if held:
        yield held


def cut(file: SourceFile, count: int) -> list[Piece]:
    """Cut a file into ranges of as many bytes each; the last goes on to its end, wherever that is by then."""
    bounds = [file.size * number // count for number in range(count)]
    return [Piece(file=file, start=start, end=end) for start, end in pairwise([*bounds, None]) if start is not None]


def _cost(file: SourceFile) -> int:
    return max(file.size, _FILE_BYTES)


def _can_be_cut(file: SourceFile, source: SourceConfig) -> bool:
    """Whether a file shows where its rows begin to whoever reads on from any of its bytes: a quote of CSV hides it."""
    if file.archive is not None:
        return False
    if source.arrival == "order":
        return False  # times are made of the number of a row, and a piece knows only its own
    if source.format in PARQUET:
        return True
    is_readable_from_anywhere = codec_of(file) is None and not file.uri.startswith(_UNSURE)
    return source.format == "jsonl" and is_readable_from_anywhere and has_plain_line_breaks(source.encoding)
