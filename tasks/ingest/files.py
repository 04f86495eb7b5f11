"""From one source file to staged parts, in blocks. One Dask task a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_contracts.buckets import BUCKETS, bucket_of_row
from data_contracts.contract import DataContract
from data_contracts.days import days_of
from data_contracts.night import Value
from data_contracts.staged import BUCKET, StagedPart, write_part
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

ROWS_OF_A_PART = 1_000_000
BYTES_OF_A_PART = 128 * 1024 * 1024
"""Whichever is reached first: blocks are held until then, and sorted together."""
_EXAMPLE_LENGTH = 200
_ERROR_LENGTH = 500


class Target(Value):
    """Where the rows of one source file go.

    Attributes:
        folder: URI of the night's folder.
        name: How the names of the file's parts begin.
        cells: Of every part, see `data_contracts.staged`.
    """

    folder: str
    name: str
    cells: int = 1


class StagedFile(Value):
    """What became of one source file.

    Attributes:
        source: The file.
        parts: Its rows: the contract's incoming columns, provenance, and the bucket.
        columns: Source column to its type, with those of its folders; for JSON Lines those that are read and hold
            something. Text that is ids has a form instead, see `tasks.ingest.observed`.
        examples: Of such columns one value.
        unread_time: For people: the first time that cannot be read, and what could be; empty without.
        left_out: Rows that `source.where` is false for; they are no part of the others.
    """

    source: SourceFile
    parts: tuple[StagedPart, ...]
    columns: dict[str, str]
    examples: dict[str, str] = Field({})
    unread_time: str = ""
    left_out: int = 0

    @property
    def rows(self) -> int:
        """Rows read and not left out."""
        return sum(sum(part.rows) for part in self.parts)


def stage_file(
    file: SourceFile, target: Target, source: SourceConfig, contract: DataContract, day_zone: str = "UTC"
) -> StagedFile:
    """Read ``file`` to ``target``; of which days its rows are goes by ``day_zone``.

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
    typed = _typed(file, own_source, Columns(names, folders), contract, observed)
    staged = tuple(_write(target, file.uri, (block.with_columns(day) for block in typed)))
    own = dict.fromkeys((names[name] for name in observed.given), TEXT) if named is None else described(named)
    return StagedFile(
        source=file,
        parts=staged,
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
            nobodys = (pl.col("source_row") % BUCKETS).cast(pl.Int32)
            bucket = pl.coalesce(bucket_of_row(contract), nobodys).cast(pl.Int16)
            yield renamed(typed, source).with_columns(bucket.alias(BUCKET))
        if members:
            members.refuse_wrong(columns.folders)


def _write(target: Target, source_file: str, typed: Iterator[pl.DataFrame]) -> Iterator[StagedPart]:
    """Write blocks as parts, several together, and yield these."""
    held: list[pl.DataFrame] = []
    parts = 0
    for block in typed:
        held.append(block)
        count, size = sum(each.height for each in held), sum(each.estimated_size() for each in held)
        if count >= ROWS_OF_A_PART or size >= BYTES_OF_A_PART:
            yield _part(target, source_file, held, parts)
            held, parts = [], parts + 1
    if held:
        yield _part(target, source_file, held, parts)


def _part(target: Target, source_file: str, held: list[pl.DataFrame], number: int) -> StagedPart:
    name = f"{target.name}-{number:04}.arrow"
    return write_part(pl.concat(held), target.folder, name, source_file, target.cells)
