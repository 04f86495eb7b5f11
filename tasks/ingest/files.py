"""From one source file to one staged Parquet file, in blocks. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.contract import DataContract
from data_contracts.night import Value
from data_contracts.staging import incoming
from tasks.ingest.cast import cast
from tasks.ingest.columns import mapping
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UndecodableError, UnreadableFileError, WrongColumnError
from tasks.ingest.readers import blocks, column_names
from tasks.ingest.sources import SourceFile

SORTED_BY = ["day", "row_hash"]
_ROWS_PER_GROUP = 64 * 1024
_EXAMPLE_LENGTH = 200


class StagedFile(Value):
    """What became of one source file.

    Attributes:
        source: The file.
        path: Its staged Parquet: the contract's incoming columns, provenance, ``day`` (date32, null without a time) and
            ``row_hash`` (uint32); sorted by these two within each block.
        days: Rows by day, UTC; None for rows without a time.
    """

    source: SourceFile
    path: str
    days: dict[date | None, int]

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(self.days.values())


def stage_file(file: SourceFile, path: str, source: SourceConfig, contract: DataContract) -> StagedFile:
    """Read ``file`` to ``path``.

    Raises:
        WrongColumnError: A column is not there, or holds nothing at all, or can never be of the type wanted.
        UnreadableFileError: The file is truncated, damaged or not of the format.
        UndecodableError: It holds bytes that are not UTF-8.
        OSError: Remote storage does not answer, or sends less than it should; that may pass.
    """
    with _reading(file, source):
        names = mapping(incoming(contract), source, column_names(file.uri, source))
    return _write(file, path, _typed(file, source, names, contract))


@contextmanager
def _reading(file: SourceFile, source: SourceConfig) -> Iterator[None]:
    """Name the file in whatever is wrong with it. Elsewhere than on this machine an `OSError` may be the network's."""
    try:
        yield
    except WrongColumnError as error:
        raise WrongColumnError(f"{file.name}: {error}") from error
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid, pl.exceptions.PolarsError, UnreadableFileError) as error:
        if isinstance(error, OSError) and not file.is_local:
            raise
        undecodable = isinstance(error, UnicodeDecodeError) or "utf8" in str(error).lower()
        kind = UndecodableError if undecodable else UnreadableFileError
        raise kind(f"{file.name} ({file.size:,} bytes) as {source.format}: {error}") from error


def _typed(
    file: SourceFile, source: SourceConfig, names: Mapping[str, str], contract: DataContract
) -> Iterator[pl.DataFrame]:
    schema = incoming(contract)
    given: Counter[str] = Counter()
    example: str = ""
    with _reading(file, source):
        for raw in blocks(file.uri, source, names):
            if raw.is_empty():
                continue
            readable = raw.filter(pl.col("problem").is_null())
            given.update({name: readable.height - readable[name].null_count() for name in names})
            example = example or str(readable["line"].first() or "")
            yield cast(raw, schema=schema, names=names, source=source).with_columns(
                pl.lit(file.uri).alias("source_file"),
                (pl.struct(schema.names).hash(seed=0) // 2**32).cast(pl.UInt32).alias("row_hash"),
                pl.col(contract.time_column).dt.date().alias("day"),
            )
        if source.format == "jsonl" and example:
            _refuse_empty_columns(given, example, names, schema, source)


def _refuse_empty_columns(
    given: Mapping[str, int], example: str, names: Mapping[str, str], schema: pa.Schema, source: SourceConfig
) -> None:
    """Without a head that names its columns, a file has those that something is in."""
    empty = [
        f"{name} is read from {names[name]!r}"
        for name, count in given.items()
        if not count and (name in source.columns or not (schema.field(name).nullable or name in source.defaults))
    ]
    if empty:
        raise WrongColumnError(
            f"{', '.join(empty)}, and nothing is there in any row, e.g. {example[:_EXAMPLE_LENGTH]}. "
            "Set source.columns."
        )


def _write(file: SourceFile, path: str, typed: Iterator[pl.DataFrame]) -> StagedFile:
    days: Counter[date | None] = Counter()
    writer: pq.ParquetWriter | None = None
    with ExitStack() as stack:
        raw = stack.enter_context(fsspec.open(path, "wb", auto_mkdir=True))
        for block in typed:
            days.update(dict(block["day"].value_counts().iter_rows()))
            table = block.sort(SORTED_BY, maintain_order=True).to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(raw, table.schema, compression="zstd"))
            writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
    return StagedFile(source=file, path=path, days=days)
