"""Columns that stand in the path alone, ``event=view/``, as text beside those that a file has.

A file's own column comes before its folder's: a folder may say only a part of it (the day of a time), or in a coarser
form, and is moved more easily than rows are written anew. A default comes before neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from data_contracts.contract import DataContract
from tasks.ingest.config import SourceConfig
from tasks.ingest.derived import completed
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.pieces import Piece
from tasks.ingest.raw import MARK, without_marked
from tasks.ingest.readers import blocks
from tasks.ingest.sources import SourceFile

PATH = "path"
"""Type of such a column: text of which nobody knows what it was, so it goes with every other."""


class Columns(NamedTuple):
    """Where the columns of a file are.

    Attributes:
        names: Contract column, or helper, to source column, see `tasks.ingest.raw`.
        folders: Source column to what the path says of it, None for null.
    """

    names: Mapping[str, str]
    folders: Mapping[str, str | None]


def beside(file: SourceFile, head: pa.Schema | None) -> dict[str, str | None]:
    """Return what the path says of columns that ``file`` does not name at its head (JSON Lines have none)."""
    return {column: value for column, value in file.partition.items() if head is None or column not in head.names}


def without_said(source: SourceConfig, file: SourceFile) -> SourceConfig:
    """Take away the defaults of what the path says: a cell that is empty there is missing."""
    kept = {name: value for name, value in source.defaults.items() if file.partition.get(name) is None}
    return source.model_copy(update={"defaults": kept})


def rows(piece: Piece, source: SourceConfig, columns: Columns, contract: DataContract) -> Iterator[pl.DataFrame]:
    """Yield `blocks` with what the path says; of JSON Lines, where a row has no value of its own.

    Raises:
        WrongColumnError: Every column is the path's.
        UnreadableFileError, OSError, pyarrow.ArrowInvalid: See `blocks`.
    """
    of_folders = {name: column for name, column in columns.names.items() if column in columns.folders}
    own = {name: column for name, column in columns.names.items() if name not in of_folders or source.format == "jsonl"}
    if not own:
        raise WrongColumnError(
            f"all that is read stands in the path, {list(of_folders.values())}: its rows say nothing"
        )
    said = {name: pl.lit(columns.folders[column], pl.String) for name, column in of_folders.items()}
    is_marked = any(MARK in (columns.folders[column] or "") for column in of_folders.values())

    def whole(block: pl.DataFrame) -> pl.DataFrame:
        read = block.with_columns(
            **{name: pl.coalesce(name, value) for name, value in said.items() if name in own},
            **{name: value for name, value in said.items() if name not in own},
        )
        return without_marked(read, columns.names) if is_marked else read

    def judged(block: pl.DataFrame) -> pl.DataFrame:
        return completed(whole(block), columns.names, source, contract, piece.file.written)

    yield from map(whole, blocks(piece, source, own, contract, judged))
