from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path

import cloudpickle
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from data_contracts.contract import DataContract
from data_contracts.reading import scan
from data_contracts.table import Table

CONTRACT = DataContract(
    name="things",
    schema=pa.schema([("name", pa.string()), ("number", pa.int32()), ("weight", pa.float32())]),
    written_by="test",
    read_by=("test",),
)
BY_NAME = dataclasses.replace(CONTRACT, partition_by="name")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC).timestamp()


def thing(name: str, number: int = 0) -> pa.Table:
    return pa.table({"name": [name], "number": [number], "weight": [0.5]})


def commit(table: Table, name: str, number: int) -> None:
    table.commit(table.write(thing(name, number), f"part-{number}"), consumed=[f"input@{number}"])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("name", "b", id="text"),
        pytest.param("number", 2, id="whole"),
        pytest.param("weight", 0.5, id="not"),
    ],
)
def test_a_filter_finds_its_rows_whatever_the_type_of_the_column(tmp_path: Path, column: str, value: object) -> None:
    table = Table(str(tmp_path), CONTRACT)
    rows = pa.table({"name": ["a", "b"], "number": [1, 2], "weight": [None, 0.5]})
    table.commit(table.write(rows, "part"), consumed=["test"])
    assert table.read(where=pc.field(column) == value).num_rows == 1
    assert table.read(where=pc.field("weight").is_null()).num_rows == 1


def test_lists_of_moments_are_written_as_differences_and_read_as_they_were(tmp_path: Path) -> None:
    """Rising or not, empty, null, with a null among them: by PyArrow and by Polars."""
    moments = pa.list_(pa.timestamp("us", tz="UTC"))
    table = Table(str(tmp_path), dataclasses.replace(CONTRACT, schema=CONTRACT.schema.append(pa.field("at", moments))))
    at = [[*range(0, 2**62, 2**53)], [2**62, -(2**62)], [], None, [0, None]]
    texts, numbers = [f"text {number}" for number in range(5)], list(range(5))
    rows = pa.table({"name": texts, "number": numbers, "weight": [0.5] * 5, "at": pa.array(at, moments)})
    table.commit(table.write(rows, "part"), consumed=["test"])
    (file,) = table.file_rows()
    assert table.read().equals(table.contract.conform(rows))
    assert scan([file], table.contract).select("at").collect().equals(pl.DataFrame(rows.select(["at"])))
    group = pq.read_metadata(file).row_group(0)
    encodings = {column: group.column(number).encodings for number, column in enumerate(table.contract.schema.names)}
    assert "DELTA_BINARY_PACKED" in encodings.pop("at")
    assert all("RLE_DICTIONARY" in others for others in encodings.values())


def test_a_table_on_disks_is_read_without_python_on_arrows_threads(tmp_path: Path) -> None:
    """One that lets go of a scan while its process ends would abort it."""
    table = Table(str(tmp_path), CONTRACT)
    commit(table, "a", 0)
    assert isinstance(table.dataset().filesystem.base_fs, pa_fs.LocalFileSystem)


@pytest.mark.parametrize("name", ["a", "two words", "50 %", "é/\U0001f4a1"])
def test_a_file_is_listed_under_the_path_where_it_lies(tmp_path: Path, name: str) -> None:
    table = Table(str(tmp_path), BY_NAME)
    commit(table, name, 0)
    ((file, rows),) = table.file_rows().items()
    assert (Path(file).is_file(), rows) == (True, 1)
    assert table.partitions() == [name]
    assert table.read()["name"].to_pylist() == [name]


def test_what_no_version_refers_to_is_removed_and_every_version_reads_as_before(tmp_path: Path) -> None:
    table = Table(str(tmp_path), BY_NAME)
    for number, name in enumerate(("a", "b c", "b c")):
        commit(table, name, number)
    DeltaTable(table.uri).optimize.compact()
    versions = [table.read(version).sort_by("number") for version in range(4)]
    orphans = table.write(thing("b c"), "killed") + table.write(thing("new"), "killed")
    half = Path(table.uri, "name=a", "killed.parquet.0a1b")
    half.write_bytes(b"PAR1")
    removed = table.remove_orphans()
    assert removed == {part.path: part.size for part in orphans} | {"name=a/killed.parquet.0a1b": 4}
    assert not any(Path(table.uri, path).exists() for path in removed)
    assert table.version() == 3
    assert [table.read(version).sort_by("number") for version in range(4)] == versions
    assert table.remove_orphans() == {}


def test_what_was_compacted_long_ago_stays_and_versions_cleaned_away_are_not_asked_for(tmp_path: Path) -> None:
    """Checkpoints forget which files were compacted; only commits tell."""
    table = Table(str(tmp_path), BY_NAME)
    for number in range(3):
        commit(table, "b c", number)
    written = DeltaTable(table.uri)
    written.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})
    written.create_checkpoint()
    written.optimize.compact()
    written.create_checkpoint()
    for number in range(3):
        Path(table.uri, "_delta_log", f"{number:020}.json").unlink()
    before = table.read(3)
    orphans = table.write(thing("b c"), "killed")
    assert list(table.remove_orphans()) == [part.path for part in orphans]
    assert (before.num_rows, table.read(3)) == (3, before)


def test_nothing_is_removed_where_nothing_was_ever_committed(tmp_path: Path) -> None:
    assert Table(str(tmp_path), CONTRACT).remove_orphans() == {}


def test_an_old_version_is_readable_after_a_hundred_commits(tmp_path: Path) -> None:
    table = Table(str(tmp_path), CONTRACT)
    for number in range(3):
        commit(table, "a", number)
    for number in range(3, 102):
        table.commit([], consumed=[f"input@{number}"])
        for file in Path(table.uri, "_delta_log").iterdir():
            os.utime(file, (LONG_AGO, LONG_AGO))
    assert set(table.read(1)["number"].to_pylist()) == {0, 1}
    assert [table.consumed(f"input@{number}") for number in (0, 101, 102)] == [True, True, False]


def test_a_note_is_read_back_until_a_later_commit_brings_another(tmp_path: Path) -> None:
    table = Table(str(tmp_path), CONTRACT)
    assert table.note("columns") is None
    for number, notes in enumerate([{"columns": '{"ö": "int32"}'}, None, {"columns": "later"}, {"another": "x"}]):
        table.commit([], [f"input@{number}"], notes=notes)
        assert table.note("columns") == ("later" if number > 1 else '{"ö": "int32"}')


def test_a_table_learns_of_the_commits_of_others_and_reads_older_versions_beside(tmp_path: Path) -> None:
    mine, others = Table(str(tmp_path), CONTRACT), Table(str(tmp_path), CONTRACT)
    assert (mine.version(), mine.read().num_rows) == (None, 0)
    for number in range(3):
        commit(others, "a", number)
        assert mine.consumed(f"input@{number}")
        assert mine.version() == number
        assert [mine.read(version).num_rows for version in range(number + 1)] == list(range(1, number + 2))
    commit(mine, "a", 3)
    assert others.read()["number"].to_pylist() == mine.read()["number"].to_pylist()
    with pytest.raises(FileNotFoundError, match="version 9"):
        mine.read(9)


def test_a_table_is_opened_anew_by_whom_it_is_sent_to(tmp_path: Path) -> None:
    table = Table(str(tmp_path), CONTRACT)
    commit(table, "a", 0)
    sent = cloudpickle.loads(cloudpickle.dumps(table))
    assert sent.read().equals(table.read())


def test_files_give_way_to_others_and_older_versions_have_them_still(tmp_path: Path) -> None:
    table = Table(str(tmp_path), CONTRACT)
    for number in range(3):
        commit(table, "a", number)
    before, files = table.read().sort_by("number"), list(table.file_rows())
    assert table.replace(files, table.write(before, "whole"), marks={"merged": 3}) == 3
    assert (table.read(), list(table.file_rows().values())) == (before, [3])
    assert (table.read(2).sort_by("number"), table.mark("merged"), table.mark("merged", 2)) == (before, 3, None)
    assert table.remove_orphans() == {}
