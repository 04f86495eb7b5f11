"""Drop exact repeats without loading everything: rows that are equal have a day and a hash in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from data_contracts.contract import DataContract
from data_contracts.night import Value
from tasks.ingest.days import Days

ROWS_PER_CHUNK = 1_000_000
_HASHES = 2**32


class Slice(Value):
    """The rows of some days, or one part of one day by hash.

    Attributes:
        days: First and last day; None for rows without a time.
        hashes: First hash, and the one after the last.
    """

    days: tuple[date, date] | None
    hashes: tuple[int, int] = (0, _HASHES)

    def touches(self, days: Days) -> bool:
        """Whether a file with rows of ``days`` can have rows of this slice."""
        if self.days is None:
            return None in days
        first, last = self.days
        return any(day is not None and first <= day <= last for day in days)

    def rows(self) -> ds.Expression:
        """Return the filter on ``day`` and ``row_hash``."""
        day, row_hash = ds.field("day"), ds.field("row_hash")
        when = day.is_null() if self.days is None else (day >= self.days[0]) & (day <= self.days[1])
        low, high = (pa.scalar(bound, pa.int64()) for bound in self.hashes)
        return when & (row_hash >= low) & (row_hash < high)


def plan(days: Days, *, rows_per_chunk: int = ROWS_PER_CHUNK) -> list[Slice]:
    """Cut the night into slices of about ``rows_per_chunk`` rows: whole days while they fit, so few files hold a day.

    Every row is in exactly one slice, and rows that are equal are in the same.
    """
    slices: list[Slice] = []
    run: list[date] = []
    held = 0
    for day, count in sorted((day, count) for day, count in days.items() if day is not None):
        if run and held + count > rows_per_chunk:
            slices.append(Slice(days=(run[0], run[-1])))
            run, held = [], 0
        pieces = math.ceil(count / rows_per_chunk)
        if pieces > 1:
            slices += [Slice(days=(day, day), hashes=hashes) for hashes in _pieces(pieces)]
        else:
            run.append(day)
            held += count
    if run:
        slices.append(Slice(days=(run[0], run[-1])))
    if days.get(None):
        slices += [Slice(days=None, hashes=hashes) for hashes in _pieces(math.ceil(days[None] / rows_per_chunk))]
    return slices


def _pieces(count: int) -> list[tuple[int, int]]:
    bounds = [_HASHES * number // count for number in range(count + 1)]
    return list(pairwise(bounds))


class Chunk(Value):
    """One file of staged rows, without repeats."""

    path: str
    rows: int
    repeats: int


def drop_repeats(staged: Sequence[str], part: Slice, path: str, contract: DataContract) -> Chunk:
    """Write the rows of one slice to ``path``, the first of equal ones only.

    Args:
        staged: Staged files, in the order of their source files.
        part: Which rows.
        path: Of the Parquet file to write.
        contract: Of staged rows.
    """
    system, _ = fsspec.url_to_fs(path)
    files = [system._strip_protocol(name) for name in staged]
    rows = ds.dataset(files, format="parquet", filesystem=system).to_table(
        filter=part.rows(), columns=contract.schema.names
    )
    own = [name for name in contract.schema.names if name not in ("source_file", "source_row")]
    kept = pl.DataFrame(pl.from_arrow(rows)).unique(subset=own, keep="first", maintain_order=True)
    with fsspec.open(path, "wb", auto_mkdir=True) as file:
        table = contract.conform(kept.to_arrow(compat_level=pl.CompatLevel.oldest()))
        pq.write_table(table, file, compression="zstd")
    return Chunk(path=path, rows=kept.height, repeats=rows.num_rows - kept.height)
