"""A Delta table as a source: the data files of its newest version, each of them a file like any other."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.links import Info

_MAPPING = "delta.columnMapping.mode"
_READ = {"deletionVectors", "timestampNtz", "typeWidening", "v2Checkpoint", "vacuumProtocolCheck"}
"""What a table may ask of its readers: nothing of this changes what stands in a data file that has no deletions."""


def data_files(system: AbstractFileSystem, folder: str) -> list[tuple[str, Info]]:
    """Return the data files of the newest version, older before newer.

    Raises:
        UnreadableFileError: There is no Delta table, it lies on another machine, a data file is gone, or its files do
            not say all that their rows are: some rows are deleted beside them (deletion vectors), columns have other
            names there (column mapping), or their folders do not say their partition.
    """
    if not isinstance(system, LocalFileSystem):
        raise UnreadableFileError("Delta tables are read from folders of this machine only")
    try:
        table = DeltaTable(folder)
        added = pa.table(table.get_add_actions()).sort_by([("modification_time", "ascending"), ("path", "ascending")])
        _refuse_other_rows(table)
    except DeltaError as error:
        what = str(error).split("\n", maxsplit=1)[0]
        raise UnreadableFileError(f"it is no Delta table that can be read: {what}") from error
    names = [posixpath.join(folder, unquote(path)) for path in added["path"].to_pylist()]
    partitions = table.metadata().partition_columns
    for name in names:
        if unsaid := [each for each in partitions if f"/{each}=" not in unquote(name)]:
            raise UnreadableFileError(f"the folders of its files do not say {', '.join(unsaid)}, which parts it")
        if not system.exists(name):
            raise UnreadableFileError(f"its newest version has a file that is gone: {name}")
    return [(name, system.info(name)) for name in names]


def _refuse_other_rows(table: DeltaTable) -> None:
    asked = {*(table.protocol().reader_features or ())}
    problems = [f"it asks {each} of its readers" for each in sorted(asked - _READ)]
    if table.metadata().configuration.get(_MAPPING, "none") != "none":
        problems = ["its columns have other names in its files (column mapping)"]
    elif "deletionVectors" in asked and pa.table(table.deletion_vectors()).num_rows:
        problems.append("some of its rows are deleted beside its files (deletion vectors): purge them")
    if problems:
        raise UnreadableFileError("; ".join(problems))
