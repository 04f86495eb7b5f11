"""From pieces of source files to staged parts, in blocks. One Dask task a batch: a piece, or several small files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from data_contracts.buckets import BUCKETS, bucket_of_row
from data_contracts.contract import DataContract
from data_contracts.days import days_of
from data_contracts.night import Value
from data_contracts.staged import BUCKET, SOURCE_FILE, StagedPart, write_part
from data_contracts.staging import incoming
from tasks.ingest.cast import cast
from tasks.ingest.columns import described, mapping, parts_of_texts
from tasks.ingest.config import SourceConfig
from tasks.ingest.derived import completed, renamed, taken
from tasks.ingest.errors import IngestError, WrongColumnError
from tasks.ingest.files import Found, named_errors
from tasks.ingest.folders import Columns, beside, rows, without_said
from tasks.ingest.lines import is_ended
from tasks.ingest.members import Members
from tasks.ingest.observed import Observed
from tasks.ingest.pieces import Piece
from tasks.ingest.readers import head

log = logging.getLogger(__name__)

ROWS_OF_A_PART = 1_000_000
BYTES_OF_A_PART = 128 * 1024 * 1024
"""Whichever is reached first: blocks are held until then, and sorted together."""


class Target(Value):
    """Where the rows of one batch go.

    Attributes:
        folder: URI of the night's folder.
        name: How the names of the batch's parts begin.
        cells: Of every part, see `data_contracts.staged`.
    """

    folder: str
    name: str
    cells: int = 1


class StagedBatch(NamedTuple):
    """What became of a batch.

    Attributes:
        parts: Its rows: the contract's incoming columns, provenance, and the bucket. A piece's are numbered from 0.
        found: What each of its pieces says about its file, or why that cannot be taken.
    """

    parts: tuple[StagedPart, ...]
    found: tuple[Found | IngestError, ...]


def stage_batch(
    pieces: Sequence[Piece], target: Target, source: SourceConfig, contract: DataContract, day_zone: str = "UTC"
) -> StagedBatch:
    """Read ``pieces`` to ``target``; of which days their rows are goes by ``day_zone``.

    A file that cannot be taken is no reason not to look at the others:

    - `WrongColumnError`: A column is not there, or can never be of the type wanted; an expression cannot be worked
      out, or nobody says when the file was written and its rows say no time.
    - `UnreadableFileError`: The file is truncated, damaged or not of the format.

    Raises:
        OSError: Remote storage does not answer, or sends less than it should; that may pass.
    """
    day = days_of(pl.col(contract.time_column), day_zone).alias("day")
    files = pl.Enum(piece.file.uri for piece in pieces)
    found: list[Found | IngestError] = []

    def typed() -> Iterator[pl.DataFrame]:
        for piece in pieces:
            own = pl.lit(piece.file.uri, files).alias(SOURCE_FILE)
            try:
                with named_errors(piece.file, source):
                    begun = _begun(piece, source, contract)
                    for block in _typed(piece, source, contract, begun):
                        yield block.with_columns(day, own)
            except IngestError as error:
                found.append(error)
            else:
                found.append(begun)

    return StagedBatch(tuple(_write(target, typed())), tuple(found))


def _begun(piece: Piece, source: SourceConfig, contract: DataContract) -> Found:
    """Return what a piece says before its rows are read: which columns its file has."""
    file = piece.file
    if source.arrival and file.written is None:
        arrival = source.named("arrival")
        raise WrongColumnError(f"its storage does not say when it was written, and {arrival} asks for that")
    named = head(file, source, incoming(contract))
    folders = beside(file, named)
    names = mapping(contract, source, None if named is None else [*named.names, *folders])
    if source.format in ("csv", "sequences") and not is_ended(file):
        log.warning("%s does not end with a line break: its last row may be cut short.", file.name)
    parts = parts_of_texts(contract, source)
    return Found(
        columns=Columns(names, folders),
        head=None if named is None else described(named),
        observed=Observed(contract.time_column, {name for name, column in names.items() if column in parts}),
        members=Members(names, incoming(contract), without_said(source, file)) if source.format == "jsonl" else None,
    )


def _typed(piece: Piece, source: SourceConfig, contract: DataContract, found: Found) -> Iterator[pl.DataFrame]:
    """Yield typed blocks, and look at each for ``found``."""
    schema, names = incoming(contract), found.columns.names
    own_source = without_said(source, piece.file)
    for raw in rows(piece, own_source, found.columns, contract):
        if raw.is_empty():
            continue
        if found.members:
            found.members.add(raw)
        kept = taken(raw, names, own_source)
        found.observed.count(raw, names, taken=kept.height)
        whole = completed(kept, names, own_source, contract, piece.file.written)
        typed = cast(whole, schema=schema, names=names, source=own_source)
        found.observed.add(whole, typed, names)
        nobodys = (pl.col("source_row") % BUCKETS).cast(pl.Int32)
        bucket = pl.coalesce(bucket_of_row(contract), nobodys).cast(pl.Int16)
        yield renamed(typed, own_source).with_columns(bucket.alias(BUCKET))


def _write(target: Target, typed: Iterator[pl.DataFrame]) -> Iterator[StagedPart]:
    """Write blocks as parts, several together, and yield these."""
    held: list[pl.DataFrame] = []
    parts = 0
    for block in typed:
        held.append(block)
        count, size = sum(each.height for each in held), sum(each.estimated_size() for each in held)
        if count >= ROWS_OF_A_PART or size >= BYTES_OF_A_PART:
            yield _part(target, held, parts)
            held, parts = [], parts + 1
    if held:
        yield _part(target, held, parts)


def _part(target: Target, held: list[pl.DataFrame], number: int) -> StagedPart:
    return write_part(pl.concat(held), target.folder, f"{target.name}-{number:04}.arrow", target.cells)
