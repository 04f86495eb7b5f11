from __future__ import annotations

import base64
import json
import shutil
import string
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import ValidationError

from data_contracts.night import Workspace
from data_contracts.use_cases import incoming_tables
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import NoFilesError, UnreadableFileError
from tasks.ingest.sources import list_files
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

_PYTHON = string.ascii_uppercase + string.ascii_lowercase + "!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = string.ascii_lowercase + string.ascii_uppercase + ".-:+=^!/*?&<>()[]{}@%$#"
"""How the letters of base 85 go on after the digits."""
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _rows(first: int, count: int, **columns: Any) -> pa.Table:
    numbers = range(first, first + count)
    times = [NOON + timedelta(seconds=number) for number in numbers]
    own = {"user_id": [f"u{number}" for number in numbers], "item_id": ["i"] * count, "timestamp": times}
    return pa.table({**own, "event": ["a b", "ü/="] * (count // 2), **columns})


def _write(folder: Path, rows: pa.Table) -> None:
    write_deltalake(folder, rows, mode="append", partition_by=["event"])


def test_rows_of_a_table_are_taken_once_whatever_becomes_of_its_files(tmp_path: Path, cluster: str) -> None:
    workspace = Workspace(name="t", use_case="recommender", home=str(tmp_path / "home"), tracking_uri="sqlite://")
    table = tmp_path / "a table"
    source = SourceConfig(uri=str(table), format="delta", columns={"event": "event"})

    def night() -> tuple[int, ...]:
        staged = stage_night(workspace, source, cluster)
        done = validate_night(workspace, staged, None, ValidationConfig(), cluster)
        return done.rows_read, done.accepted, done.repeats

    _write(table, _rows(0, 20))
    assert night() == (20, 20, 0)
    _write(table, _rows(20, 4))
    assert night() == (4, 4, 0), "only the files that are new"
    DeltaTable(table).optimize.compact()
    assert night() == (24, 0, 24), "rows that are compacted are repeats"
    DeltaTable(table).delete("user_id = 'u3'")
    assert night()[1:] == (0, 11), "what is left of a file is written again"
    truth = incoming_tables(workspace).kept
    assert sorted(truth.read()["user_id"].to_pylist()) == sorted(f"u{number}" for number in range(24))
    assert set(truth.read()["event"].to_pylist()) == {"a b", "ü/="}


def test_files_that_the_newest_version_has_not_are_no_part_of_it(tmp_path: Path) -> None:
    _write(tmp_path / "t", _rows(0, 2))
    old = {file.uri for file in list_files(str(tmp_path / "t"), tables=True)}
    write_deltalake(tmp_path / "t", _rows(2, 2), mode="overwrite")
    new = {file.uri for file in list_files(str(tmp_path / "t"), tables=True)}
    assert len(old) == len(new) == 2
    assert old.isdisjoint(new)
    assert {file.partition["event"] for file in list_files(str(tmp_path / "t"), tables=True)} == {"a b", "ü/="}


def _log(folder: Path, change: dict[str, Any]) -> None:
    """Write another version of a table, as other writers do."""
    last = max((folder / "_delta_log").glob("*.json"))
    (last.parent / f"{int(last.stem) + 1:020}.json").write_text(json.dumps(change) + "\n")


def _protocol(*features: str) -> dict[str, Any]:
    asked = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    return {"protocol": asked}


def _first_row_deleted() -> dict[str, Any]:
    """Write a deletion vector into the log itself: a Roaring bitmap of row 0, as Z85."""
    bitmap = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, 0)
    vector = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    python, z85 = (string.digits + letters for letters in (_PYTHON, _Z85))
    text = base64.b85encode(vector.ljust(36, b"\0")).decode().translate(str.maketrans(python, z85))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(vector), "cardinality": 1}


def test_a_table_whose_files_do_not_say_its_rows_is_refused_by_name(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    _write(plain, _rows(0, 2))
    table = tmp_path / "mapped"
    shutil.copytree(plain, table)
    first = (table / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    metadata = next(json.loads(line) for line in first if "metaData" in line)
    metadata["metaData"]["configuration"] = {"delta.columnMapping.mode": "name"}
    _log(table, metadata)
    with pytest.raises(UnreadableFileError, match=r"mapped.*: .*column mapping.*Nothing was published"):
        list_files(str(table), tables=True)

    table = tmp_path / "deleted"
    shutil.copytree(plain, table)
    added = next(json.loads(line) for line in first if '"add"' in line)
    added["add"]["deletionVector"] = _first_row_deleted()
    _log(table, _protocol("deletionVectors"))
    assert len(list_files(str(table), tables=True)) == 2, "it may, and has not"
    _log(table, added)
    with pytest.raises(UnreadableFileError, match="deletion vectors"):
        list_files(str(table), tables=True)


def test_what_is_no_table_here_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,b\n")
    for uri in (tmp_path, tmp_path / "none"):
        with pytest.raises((UnreadableFileError, NoFilesError), match=str(uri)):
            list_files(str(uri), tables=True)
    with pytest.raises(UnreadableFileError, match="this machine only"):
        list_files("memory://table", tables=True)
    _write(tmp_path / "t", _rows(0, 2))
    next((tmp_path / "t").rglob("*.parquet")).unlink()
    with pytest.raises(UnreadableFileError, match="a file that is gone"):
        list_files(str(tmp_path / "t"), tables=True)
    for arrival in ("file", "order"):
        with pytest.raises(ValidationError, match="would give its rows other times"):
            SourceConfig.model_validate({"format": "delta", "arrival": arrival})
