"""From one source file to one staged Parquet file, in blocks. One Dask task a file."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from data_contracts.contract import DataContract
from data_contracts.days import days_of
from data_contracts.night import Value
from data_contracts.staging import incoming
from tasks.ingest.cast import cast
from tasks.ingest.columns import TEXT, described, mapping, parts_of_texts
from tasks.ingest.config import SourceConfig
from tasks.ingest.derived import completed, renamed, taken
from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tasks.ingest.folders import PATH, Columns, beside, rows, without_said
from tasks.ingest.lines import is_ended
from tasks.ingest.members import Members
from tasks.ingest.observed import Observed
from tasks.ingest.readers import head
from tasks.ingest.sources import SourceFile
from tasks.ingest.times import wanted

log = logging.getLogger(__name__)

SORTED_BY = ["day", "row_hash"]
_ROWS_PER_GROUP = 64 * 1024
_BYTES_OF_A_ROW = 128
"""Text and lists up to which a row counts as one."""
_BYTES_OF_A_NUMBER = 8
_EXAMPLE_LENGTH = 200
_ERROR_LENGTH = 500


class StagedFile(Value):
    """What became of one source file.

    Attributes:
        source: The file.
        path: Its staged Parquet: the contract's incoming columns, provenance, ``day`` (date32, null without a time) and
            ``row_hash`` (uint32); sorted by these two within each block.
        days: Rows by day; None for rows without a time.
        weights: The same, with a row of much text counted as several: what it takes to hold them.
        columns: Source column to its type, with those of its folders; for JSON Lines those that are read and hold
            something. Text that is ids has a form instead, see `tasks.ingest.observed`.
        examples: Of such columns one value.
        unread_time: For people: the first time that cannot be read, and what could be; empty without.
        left_out: Rows that `source.where` is false for; they are no part of the others.
    """

    source: SourceFile
    path: str
    days: dict[date | None, int]
    weights: dict[date | None, int]
    columns: dict[str, str]
    examples: dict[str, str] = Field({})
    unread_time: str = ""
    left_out: int = 0

    @property
    def rows(self) -> int:
        """Rows read and not left out."""
        return sum(self.days.values())


def stage_file(
    file: SourceFile, path: str, source: SourceConfig, contract: DataContract, day_zone: str = "UTC"
) -> StagedFile:
    """Read ``file`` to ``path``, its rows by days of ``day_zone``.

    Raises:
        WrongColumnError: A column is not there, or holds nothing at all, or can never be of the type wanted; an
            expression cannot be worked out, or nobody says when the file was written and its rows say no time.
        UnreadableFileError: The file is truncated, damaged or not of the format.
        OSError: Remote storage does not answer, or sends less than it should; that may pass.
    """
    with _reading(file, source):
        if source.arrival and file.written is None:
            arrival = source.named("arrival")
            raise WrongColumnError(f"its storage does not say when it was written, and {arrival} asks for that")
        named = head(file, source, incoming(contract))
        folders = beside(file, named)
        names = mapping(contract, source, None if named is None else [*named.names, *folders])
        if source.format in ("csv", "sequences") and not is_ended(file):
            log.warning("%s does not end with a line break: its last row may be cut short.", file.name)
    parts = parts_of_texts(contract, source)
    observed = Observed(contract.time_column, {name for name, column in names.items() if column in parts})
    own_source = without_said(source, file)
    day = days_of(pl.col(contract.time_column), day_zone).alias("day")
    days, weights = _write(path, _typed(file, own_source, Columns(names, folders), contract, observed), day)
    own = dict.fromkeys((names[name] for name in observed.given), TEXT) if named is None else described(named)
    return StagedFile(
        source=file,
        path=path,
        days=days,
        weights=weights,
        columns={**observed.described(own, names), **dict.fromkeys(folders, PATH)},
        examples={names[name]: example for name, example in observed.examples.items()},
        unread_time=f"{observed.unread_time[:_EXAMPLE_LENGTH]!r}, wanted {wanted(source)}"
        if observed.unread_time
        else "",
        left_out=observed.left_out,
    )


@contextmanager
def _reading(file: SourceFile, source: SourceConfig) -> Iterator[None]:
    """Name the file in whatever is wrong with it. Elsewhere than on this machine an `OSError` may be the network's."""
    try:
        yield
    except WrongColumnError as error:
        raise WrongColumnError(f"{file.name}: {error}") from error
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError, UnreadableFileError) as error:
        if isinstance(error, OSError) and not file.is_local:
            raise
        what = str(error).split("\n", maxsplit=1)[0][:_ERROR_LENGTH].rstrip(".")
        raise UnreadableFileError(
            f"{file.name} ({file.size:,} bytes) as {source.format}: {what}. Mend it, or take it away."
        ) from error


def _typed(
    file: SourceFile, source: SourceConfig, columns: Columns, contract: DataContract, observed: Observed
) -> Iterator[pl.DataFrame]:
    """Yield typed blocks, and have each observed."""
    schema, names = incoming(contract), columns.names
    members = Members(names, schema, source) if source.format == "jsonl" else None
    with _reading(file, source):
        for raw in rows(file, source, columns, contract):
            if raw.is_empty():
                continue
            if members:
                members.add(raw)
            kept = taken(raw, names, source)
            observed.count(raw, names, taken=kept.height)
            whole = completed(kept, names, source, contract, file.written)
            typed = cast(whole, schema=schema, names=names, source=source)
            observed.add(whole, typed, names)
            yield renamed(typed, source).with_columns(
                pl.lit(file.uri).alias("source_file"),
                (pl.struct(schema.names).hash(seed=0) // 2**32).cast(pl.UInt32).alias("row_hash"),
            )
        if members:
            members.refuse_wrong(columns.folders)


def _write(path: str, typed: Iterator[pl.DataFrame], day: pl.Expr) -> tuple[Counter[date | None], Counter[date | None]]:
    """Write sorted blocks; count and weigh their rows by ``day``."""
    days, weights = Counter[date | None](), Counter[date | None]()
    writer: pq.ParquetWriter | None = None
    with ExitStack() as stack:
        raw = stack.enter_context(fsspec.open(path, "wb", auto_mkdir=True))
        for rows in typed:
            block = rows.with_columns(day)
            days.update(dict(block["day"].value_counts().iter_rows()))
            weights.update(dict(block.group_by("day").agg(_weight(block.schema).sum()).iter_rows()))
            table = block.sort(SORTED_BY, maintain_order=True).to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(raw, table.schema, compression="zstd"))
            writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
    return days, weights


def _weight(schema: pl.Schema) -> pl.Expr:
    lengths = [
        pl.col(name).cast(pl.Binary).bin.size().cast(pl.Int64)
        for name, kind in schema.items()
        if kind in (pl.String, pl.Binary) and name != "source_file"
    ]
    lists = [pl.col(name).list.len() * _BYTES_OF_A_NUMBER for name, kind in schema.items() if kind == pl.List]
    return 1 + pl.sum_horizontal(*lengths, *lists).cast(pl.Int64) // _BYTES_OF_A_ROW
