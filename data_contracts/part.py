"""Parts of a table: Parquet files that are written by many, and that nobody sees before their table's commit."""

from __future__ import annotations

import json
import posixpath
from urllib.parse import quote
from uuid import uuid4

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from data_contracts.contract import DataContract
from data_contracts.night import Value

MOMENT = pa.timestamp("us", tz="UTC")
MOMENTS = pa.list_(MOMENT)
"""Most times rise, in lists and in logs, so differences are written: a dictionary of them is large."""


class Part(Value):
    """One Parquet file of a table, written but not yet visible."""

    path: str
    size: int
    rows: int
    partition: dict[str, str | None]

    def added(self) -> AddAction:
        """Return what a commit says to make it visible.

        It tells the number of rows and no bounds. With bounds for some columns only, deltalake 1.6.6 reads those of the
        others as null, and a filter on such a column finds nothing, silently. Parquet's own bounds serve as well: they
        leave out row groups when reading by bucket.
        """
        stats = json.dumps({"numRecords": self.rows})
        return AddAction(self.path, self.size, self.partition, modification_time=0, data_change=True, stats=stats)


def write_parts(rows: pa.Table, contract: DataContract, folder: str, name: str) -> list[Part]:
    """Write ``rows`` as one file for each value of the contract's partition column.

    Args:
        rows: Whatever `DataContract.conform` accepts.
        contract: Of their table.
        folder: URI of the table.
        name: File name without its ending.

    Raises:
        SchemaMismatchError: ``rows`` is not what the contract promises.
    """
    rows = contract.conform(rows)
    column = contract.partition_by
    if column is None:
        return [_write(rows, contract, folder, f"{name}.parquet", {})] if rows.num_rows else []
    rows = rows.sort_by([(column, "ascending")]) if not _is_constant(rows[column]) else rows
    parts: list[Part] = []
    start = 0
    for run in pc.value_counts(rows[column]):
        text, count = str(run["values"].as_py()), run["counts"].as_py()
        piece = rows.slice(start, count).drop_columns([column])
        parts.append(_write(piece, contract, folder, f"{column}={quote(text)}/{name}.parquet", {column: text}))
        start += count
    return parts


def _write(rows: pa.Table, contract: DataContract, folder: str, path: str, partition: dict[str, str | None]) -> Part:
    """Write a file whole or not at all: a worker that was given up may still write the same one when it is visible."""
    system, target = fsspec.url_to_fs(posixpath.join(folder, path))
    unfinished = f"{target}.{uuid4().hex}"
    system.makedirs(posixpath.dirname(target), exist_ok=True)
    times = [_leaf(each) for each in rows.schema if each.type in (MOMENT, MOMENTS)]
    others = [_leaf(each) for each in rows.schema if each.type not in (MOMENT, MOMENTS)]
    with system.open(unfinished, "wb") as file:
        pq.write_table(
            rows,
            file,
            compression="zstd",
            row_group_size=contract.rows_per_row_group,
            use_dictionary=others if times else True,
            column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED") or None,
        )
        size = file.tell()
    system.mv(unfinished, target)
    return Part(path=path, size=size, rows=rows.num_rows, partition=partition)


def _leaf(field: pa.Field) -> str:
    """Return what Parquet calls the column, or the values of its lists."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else str(field.name)


def _is_constant(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column)
    return bool(bounds["min"].as_py() == bounds["max"].as_py())
