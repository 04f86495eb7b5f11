"""Files that are rows themselves, or members of an archive that are."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import ValidationError

from data_contracts.staging import MAX_BYTES
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import UnreadableFileError, WrongColumnError
from tasks.ingest.sources import list_files
from tests.tasks.ingest.source import at, rows_at, stage_file
from tests.tasks.ingest.test_payloads import SOUNDS

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = {"sound": "bytes", "said": "folder", "at": "modified"}
FILES = {"dog/one.wav": b"\xffone", "said=a%20cat/two.wav": b"\x00two", "three.wav": b"three", ".hidden/no.wav": b"no"}
WANTED = [(b"\xffone", "dog"), (b"\x00two", "a cat"), (b"three", None)]


def tar(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), AT.timestamp()
            archive.addfile(member, io.BytesIO(data))
        folder = tarfile.TarInfo("dog")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(zipfile.ZipInfo(name, AT.timetuple()[:6]), data)
    return path


def stage(uri: str, **settings: Any) -> list[dict[str, Any]]:
    source = SourceConfig.model_validate({"uri": uri, "format": "files", "columns": COLUMNS} | settings)
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for number, file in enumerate(list_files(uri)):
            target = at(f"{folder}/{number}")
            found += rows_at(target, stage_file(file, target, source, SOUNDS))
    return found


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_every_member_of_an_archive_is_a_row(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"sounds.{kind}"
    rows = stage(str(zipped(path) if kind == "zip" else tar(path, "w:gz" if kind == "tar.gz" else "w")))
    assert [(row["sound"], row["said"]) for row in rows] == WANTED
    assert {row["at"] for row in rows} == {AT}
    assert [row["source_row"] for row in rows] == [0, 1, 2]


def test_files_by_themselves_are_rows_and_their_folders_say_what_they_are(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (AT.timestamp(), AT.timestamp()))
    rows = stage(str(tmp_path / "*" / "*.wav"))
    assert [(row["sound"], row["said"], row["at"]) for row in rows] == [(*each, AT) for each in WANTED[:2]]


def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(b"x" * (MAX_BYTES + 5))
    (row,) = stage(str(tmp_path / "long.wav"))
    assert (row["sound"], row["problem"]) == (None, "sound longer than 8,388,608 bytes")
    assert json.loads(row["original"])["path"].endswith("/long.wav")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_a_damaged_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"sounds.{kind}"
    whole = zipped(path) if kind == "zip" else tar(path, "w:gz" if kind == "tar.gz" else "w")
    whole.write_bytes(whole.read_bytes()[: 700 if kind == "tar" else whole.stat().st_size // 2])
    with pytest.raises(UnreadableFileError, match=f"sounds.{kind} .* as files: .*. Mend it, or take it away"):
        stage(str(whole))


def test_an_archive_is_named_itself(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"it is packed in sounds.zip: name that in source.uri"):
        stage(f"zip://dog/one.wav::{zipped(tmp_path / 'sounds.zip')}")


def test_columns_that_files_do_not_have_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    with pytest.raises(WrongColumnError, match="sound is read from column 'sound', which is not there"):
        stage(str(tmp_path / "a.wav"), columns={})


def test_settings_of_times_would_be_ignored() -> None:
    with pytest.raises(ValidationError, match="time_unit has no meaning: a file says when it was written"):
        SourceConfig(format="files", time_unit="s")
