"""Drop exact repeats, of tonight's rows and of rows that the table has, without loading everything.

Rows that are equal have a day and a hash in common, and the table's files are parted by day (ADR 5).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from data_contracts.contract import DataContract
from data_contracts.night import Value
from data_contracts.staging import PROVENANCE

Days = Mapping[date | None, int]
"""Rows by day, UTC; None for rows without a time."""

ROWS_PER_CHUNK = 1_000_000
_HASHES = 2**32
_BYTES_HELD = 256 * ROWS_PER_CHUNK
"""After which repeats are dropped before more are read. Most slices hold fewer, and are looked through once."""
_ROWS_PER_BATCH = 8 * 1024
_READ_AHEAD = 1
_PROVENANCE = {field.name for field in PROVENANCE}


def added(many: Iterable[Days]) -> Counter[date | None]:
    """Add counts up."""
    total: Counter[date | None] = Counter()
    for days in many:
        total.update(days)
    return total


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

    Every row is in exactly one slice, and rows that are equal are in the same. A row may count as several.
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
    """What was dropped from one file of staged rows.

    Attributes:
        repeats: Rows dropped.
        known: Those of them that the table has.
    """

    repeats: int
    known: int


def drop_repeats(
    staged: Sequence[str], known: Mapping[date, list[str]], part: Slice, path: str, contract: DataContract
) -> Chunk:
    """Write the rows of one slice to ``path``, the first of equal ones only, less those that the table has.

    What is in memory is bounded by the rows written and `_BYTES_HELD`, however many repeats or old rows there are.

    Args:
        staged: Staged files, in the order of their source files.
        known: Day to the table's files of that day.
        part: Which rows.
        path: Of the Parquet file to write.
        contract: Of staged rows.
    """
    names = contract.schema.names
    system, _ = fsspec.url_to_fs(path)
    files = [system._strip_protocol(name) for name in staged]
    rows = ds.dataset(files, format="parquet", filesystem=system).scanner(
        filter=part.rows(),
        columns=[*names, "day"],
        batch_size=_ROWS_PER_BATCH,
        batch_readahead=_READ_AHEAD,
        fragment_readahead=1,
    )
    first, read = _first_of_equal(rows, [name for name in names if name not in ("source_file", "source_row")])
    kept = _unknown(first, known, [name for name in names if name not in _PROVENANCE])
    with fsspec.open(path, "wb", auto_mkdir=True) as file:
        table = contract.conform(kept.to_arrow(compat_level=pl.CompatLevel.oldest()))
        pq.write_table(table, file, compression="zstd")
    return Chunk(repeats=read - kept.height, known=first.height - kept.height)


def _first_of_equal(rows: ds.Scanner, by: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Return the first of the rows that are equal in ``by``, in their order, and how many rows were read."""
    schema = rows.projected_schema
    held = [schema.empty_table()]
    read = waiting = 0
    for batch in rows.to_batches():
        held.append(pa.table(batch))
        read += batch.num_rows
        waiting += batch.nbytes
        if waiting > _BYTES_HELD:
            held, waiting = [_unique(held, by).to_arrow().cast(schema)], 0
    return _unique(held, by), read


def _unique(held: Sequence[pa.Table], by: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(pa.concat_tables(held)).unique(subset=by, keep="first", maintain_order=True)


def _unknown(rows: pl.DataFrame, known: Mapping[date, list[str]], by: Sequence[str]) -> pl.DataFrame:
    """Return the rows that the table does not have. A row that could not be read is in no table."""
    days, files = list(known), [file for own in known.values() for file in own]
    candidates = rows.filter(pl.col("day").is_in(days) & pl.col("problem").is_null()).select(by)
    if candidates.is_empty():
        return rows
    found = (
        pl.scan_parquet(files, glob=False, hive_partitioning=False)
        .select(by)
        .join(candidates.lazy(), on=by, how="semi", nulls_equal=True)
        .unique()
        .with_columns(problem=pl.lit(None, pl.String))
        .collect(engine="streaming")
    )
    return rows.join(found, on=[*by, "problem"], how="anti", nulls_equal=True, maintain_order="left")
