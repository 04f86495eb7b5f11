"""From a file to blocks of raw rows, see `tasks.ingest.raw`; which reader for which format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.staging import incoming
from tasks.ingest import delimited, json_lines, lines, parquet, whole
from tasks.ingest.cast import cast
from tasks.ingest.columns import is_optional
from tasks.ingest.config import PARQUET, SourceConfig
from tasks.ingest.pieces import Piece
from tasks.ingest.raw import BLOCK_ROWS, MARK, Names, block, broken, undecodable
from tasks.ingest.sources import SourceFile

Complete = Callable[[pl.DataFrame], pl.DataFrame]
"""From a block to the same with all that is made of it."""

SEQUENCE_START = datetime(2000, 1, 1, tzinfo=UTC)
"""Where sequences begin. What comes n-th in one stands n us later; only the order means anything."""


def head(file: SourceFile, source: SourceConfig, schema: pa.Schema) -> pa.Schema | None:
    """Return the columns that a file has from its head on; None where only its rows tell (JSON Lines).

    Args:
        file: Of the source.
        source: How to read it.
        schema: Of the rows that are wanted.
    """
    if source.format in PARQUET:
        return parquet.head(file)
    if source.format == "files":
        return whole.head()
    if source.format == "csv":
        return pa.schema([(name, pa.string()) for name in delimited.head(file, source)])
    return _sequence(schema) if source.format == "sequences" else None


def _sequence(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a sequence: whose it is, what is in it, and when: the first texts, and the time."""
    whose, what, *_ = (field for field in schema if pa.types.is_string(field.type))
    when = next(field for field in schema if pa.types.is_timestamp(field.type))
    return pa.schema([whose, what, when])


def blocks(
    piece: Piece, source: SourceConfig, names: Names, contract: DataContract, complete: Complete
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a piece in blocks, numbered from 0; those that do not split follow the block they stood in.

    Args:
        piece: Of a file of the source.
        source: How to read it.
        names: Contract column, or helper, to source column.
        contract: What these columns are to become.
        complete: What a row is judged by, see `delimited.Judge`.

    Raises:
        UnreadableFileError, OSError, pyarrow.ArrowInvalid: See `lines.blocks`, `delimited.rows` and `parquet.rows`.
    """
    for rows in _blocks(piece, source, names, contract, complete):
        yield from rows.iter_slices(BLOCK_ROWS)


def _blocks(
    piece: Piece, source: SourceConfig, names: Names, contract: DataContract, complete: Complete
) -> Iterator[pl.DataFrame]:
    if source.format in PARQUET:
        return parquet.rows(piece, names, incoming(contract))
    if source.format == "files":
        return whole.rows(piece.file, source, names)
    if source.format == "jsonl":
        return json_lines.rows(piece, source, names, incoming(contract))
    if source.format == "sequences":
        return _sequences(piece, source, _sequence(incoming(contract)).names)
    return delimited.rows(piece, source, names, _judge(source, names, contract, complete))


def _judge(source: SourceConfig, names: Names, contract: DataContract, complete: Complete) -> delimited.Judge:
    """Tell rows by a time that can be read: where none is said in a line, any line of text looks like a row."""
    schema, said = incoming(contract), {*names, *source.compute}
    needed = [field.name for field in schema if field.name in said and not is_optional(field, source)]
    has_time = contract.time_column in said

    def good_rows(raw: pl.DataFrame) -> pl.Series:
        typed = cast(complete(raw), schema=schema, names=names, source=source)
        is_good = pl.all_horizontal(pl.col(*needed).is_not_null(), pl.col("problem").is_null(), has_time)
        return typed.filter(is_good)["source_row"]

    return good_rows


def _sequences(piece: Piece, source: SourceConfig, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    start = 0
    for data in lines.blocks(piece, source):
        texts = dict(enumerate((line.decode() for line in data.splitlines() if line), start))
        start += len(texts)
        marked = {row: text for row, text in texts.items() if MARK in text}
        yield _split({row: text for row, text in texts.items() if row not in marked}, *names)
        problem = [undecodable("line", source.encoding)] * len(marked)
        yield broken(list(marked.values()), source_row=list(marked), problem=problem, names=list(names))


def _split(texts: dict[int, str], whose: str, what: str, when: str) -> pl.DataFrame:
    """Separate at blanks alone: other white space may stand in an id."""
    line = pl.Series(list(texts.values()), dtype=pl.String)
    words = line.str.strip_chars(" \t").str.replace_all(r"[ \t]+", " ").str.split(" ")
    return (
        block({whose: words.list.first(), what: words.list.slice(1)}, source_row=list(texts))
        .with_columns(pl.int_ranges(0, pl.col(what).list.len()).alias(when))
        .explode(what, when, empty_as_null=True)
        .with_columns((pl.lit(SEQUENCE_START) + pl.duration(microseconds=when)).alias(when))
    )
