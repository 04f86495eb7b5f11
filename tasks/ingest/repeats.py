"""Drop exact repeats, of tonight's rows and of rows that the table has, without loading everything.

Rows that are equal have a day and a hash in common, and the table's files are parted by day (ADR 5). Only a sound row
can be a repeat: of one that says not even who, what or when, nobody knows whether it is the same as another.
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
from data_contracts.reading import scan
from data_contracts.staging import PROVENANCE, required, staging

Days = Mapping[date | None, int]
"""Rows by day; None for rows without a time."""

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
        again: Source files that these came from: they, or a part of them, came before.
    """

    repeats: int
    known: int
    again: tuple[str, ...] = ()


def drop_repeats(
    staged: Sequence[str], known: Mapping[date, list[str]], part: Slice, path: str, contract: DataContract
) -> Chunk:
    """Write the rows of one slice to ``path``; of sound ones the first of equal ones, less those that the table has.

    What is in memory is bounded by the rows written and `_BYTES_HELD`, however many repeats or old rows there are.

    Args:
        staged: Staged files, in the order of their source files.
        known: Day to the table's files of that day.
        part: Which rows.
        path: Of the Parquet file to write.
        contract: Of the table.
    """
    target = staging(contract)
    names = target.schema.names
    system, _ = fsspec.url_to_fs(path)
    files = [system._strip_protocol(name) for name in staged]
    rows = ds.dataset(files, format="parquet", filesystem=system).scanner(
        filter=part.rows(),
        columns=[*names, "day"],
        batch_size=_ROWS_PER_BATCH,
        batch_readahead=_READ_AHEAD,
        fragment_readahead=1,
    )
    by = [name for name in names if name not in _PROVENANCE]
    is_sound = pl.all_horizontal(pl.col("problem").is_null(), pl.col(required(contract)).is_not_null())
    first, read = _first_of_equal(rows, by, is_sound)
    in_table = _known(first.filter(is_sound), known, by, contract).with_columns(problem=pl.lit(None, pl.String))
    kept, came_again = (
        first.join(in_table, on=[*by, "problem"], how=how, nulls_equal=True, maintain_order="left")
        for how in ("anti", "semi")
    )
    with fsspec.open(path, "wb", auto_mkdir=True) as file:
        table = target.conform(kept.to_arrow(compat_level=pl.CompatLevel.oldest()))
        pq.write_table(table, file, compression="zstd")
    again = tuple(came_again["source_file"].unique().sort())
    return Chunk(repeats=read - kept.height, known=came_again.height, again=again)


def _first_of_equal(rows: ds.Scanner, by: Sequence[str], is_sound: pl.Expr) -> tuple[pl.DataFrame, int]:
    """Return the rows, of sound ones the first that are equal in ``by``, in their order, and how many were read."""
    schema = rows.projected_schema
    held = [schema.empty_table()]
    read = waiting = 0
    for batch in rows.to_batches():
        held.append(pa.table(batch))
        read += batch.num_rows
        waiting += batch.nbytes
        if waiting > _BYTES_HELD:
            held, waiting = [_unique(held, by, is_sound).to_arrow().cast(schema)], 0
    return _unique(held, by, is_sound), read


def _unique(held: Sequence[pa.Table], by: Sequence[str], is_sound: pl.Expr) -> pl.DataFrame:
    alone = pl.when(~is_sound).then(pl.int_range(pl.len())).alias("alone")
    rows = pl.DataFrame(pa.concat_tables(held)).with_columns(alone)
    return rows.unique(subset=[*by, "alone"], keep="first", maintain_order=True).drop("alone")


def _known(
    rows: pl.DataFrame, known: Mapping[date, list[str]], by: Sequence[str], contract: DataContract
) -> pl.DataFrame:
    """Return those of the ``rows``, in ``by``, that the table has."""
    days, files = list(known), [file for own in known.values() for file in own]
    candidates = rows.filter(pl.col("day").is_in(days)).select(by)
    if candidates.is_empty():
        return candidates
    return (
        scan(files, contract)
        .select(by)
        .join(candidates.lazy(), on=by, how="semi", nulls_equal=True)
        .unique()
        .collect(engine="streaming")
    )
