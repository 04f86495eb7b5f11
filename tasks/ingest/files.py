"""What became of a source file, put together from what its pieces say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_contracts.night import Value
from tasks.ingest.columns import TEXT
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import IngestError, UnreadableFileError, WrongColumnError
from tasks.ingest.folders import PATH, Columns
from tasks.ingest.members import Members
from tasks.ingest.observed import Observed
from tasks.ingest.sources import SourceFile
from tasks.ingest.times import wanted

_EXAMPLE_LENGTH = 200
_ERROR_LENGTH = 500


class StagedFile(Value):
    """What became of one source file.

    Attributes:
        source: The file.
        rows: Read and not left out.
        columns: Source column to its type, with those of its folders; for JSON Lines those that are read and hold
            something. Text that is ids has a form instead, see `tasks.ingest.observed`.
        examples: Of such columns one value.
        unread_time: For people: the first time that cannot be read, and what could be; empty without.
        left_out: Rows that `source.where` is false for; they are no part of the others.
    """

    source: SourceFile
    rows: int
    columns: dict[str, str]
    examples: dict[str, str] = Field({})
    unread_time: str = ""
    left_out: int = 0


class Found(NamedTuple):
    """What one piece of a file says about it.

    Attributes:
        columns: Those that are read.
        head: All that it names at its head, with their types; None for JSON Lines.
        observed: Of the piece's rows.
        members: The same, for JSON Lines.
    """

    columns: Columns
    head: dict[str, str] | None
    observed: Observed
    members: Members | None


def put_together(file: SourceFile, source: SourceConfig, said: Sequence[Found | IngestError]) -> StagedFile:
    """Return what became of a file, from what all of its pieces say, in their order.

    Raises:
        WrongColumnError: A column is not there in any row of JSON Lines, or holds nothing at all.
        IngestError: A piece cannot be taken: what the first such one says.
    """
    error = next((each for each in said if isinstance(each, IngestError)), None)
    if error is not None:
        raise error
    pieces = [each for each in said if isinstance(each, Found)]
    names, folders = pieces[0].columns
    observed = reduce(add, (piece.observed for piece in pieces))
    members = [piece.members for piece in pieces if piece.members]
    if members:
        with named_errors(file, source):
            reduce(add, members).refuse_wrong(folders)
    own = pieces[0].head
    if own is None:
        own = {column: TEXT for name, column in names.items() if name in observed.given}
    unread = observed.unread_time
    return StagedFile(
        source=file,
        rows=observed.rows - observed.left_out,
        columns={**observed.described(own, names), **dict.fromkeys(folders, PATH)},
        examples={names[name]: example for name, example in observed.examples.items()},
        unread_time=f"{unread[:_EXAMPLE_LENGTH]!r}, wanted {wanted(source)}" if unread else "",
        left_out=observed.left_out,
    )


@contextmanager
def named_errors(file: SourceFile, source: SourceConfig) -> Iterator[None]:
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
