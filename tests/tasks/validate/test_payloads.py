"""Files of sounds and texts, from where they lie to the truth, or to quarantine with the limit that they broke."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from data_contracts.buckets import Buckets
from data_contracts.contract import Limits
from data_contracts.quarantine import QUARANTINE
from data_contracts.staging import MAX_BYTES
from data_contracts.table import Table
from tasks.ingest.batch import Target
from tasks.ingest.config import SourceConfig
from tasks.ingest.sources import list_files
from tasks.validate.broken import Known, quarantine_share, shares
from tasks.validate.ranges import Order, Share, validate_share
from tests.data_contracts.payloads.made_up import encoded, tone
from tests.recordings.contracts.promises import RECORDINGS
from tests.tasks.ingest.source import stage_file

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(first_day=date(2000, 1, 1), earliest=date(2000, 1, 1), latest=date(2026, 3, 1))
WAV, FLAC, SAID = encoded(), encoded(kind="FLAC"), "Grüß Gott".encode()
FILES = {
    "good.wav": WAV,
    "good.flac": FLAC,
    "long.wav": encoded(tone(3)),
    "cut.flac": FLAC[:-300],
    "huge.wav": WAV + b"x" * MAX_BYTES,
    "good.txt": SAID,
    "long.txt": b"a" * 101,
    "nul.txt": b"a\0b",
}
BROKEN = {
    "sound longer than 2 s",
    "sound cut short or not decodable",
    "sound longer than 8,388,608 bytes",
    "said of more than 100 characters",
    "said holds NUL",
}


def folder(path: Path, kind: str) -> str:
    (path / "in").mkdir()
    for name, data in FILES.items():
        (path / "in" / name).write_bytes(data)
        os.utime(path / "in" / name, (AT.timestamp(), AT.timestamp()))
    return str(path / "in" / f"*.{kind}")


def tar(path: Path, kind: str) -> str:
    with tarfile.open(path / "in.tar", "w") as archive:
        for name, data in _of(kind).items():
            member = tarfile.TarInfo(f"recorded/{name}")
            member.size, member.mtime = len(data), AT.timestamp()
            archive.addfile(member, io.BytesIO(data))
    return str(path / "in.tar")


def zipped(path: Path, kind: str) -> str:
    with zipfile.ZipFile(path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _of(kind).items():
            archive.writestr(zipfile.ZipInfo(f"recorded/{name}", AT.timetuple()[:6]), data)
    return str(path / "in.zip")


def _of(kind: str) -> dict[str, bytes]:
    return {name: data for name, data in FILES.items() if name.endswith(kind)}


@pytest.mark.parametrize("packed", [folder, tar, zipped])
def test_a_payload_keeps_its_limits_or_is_set_aside_with_the_one_it_broke(tmp_path: Path, packed: object) -> None:
    accepted: list[bytes] = []
    rules: dict[str, str] = {}
    for number, (kind, column) in enumerate({"wav": "sound", "flac": "sound", "txt": "said"}.items()):
        (home := tmp_path / str(number)).mkdir()
        uri = packed(home, kind)
        source = SourceConfig(uri=uri, format="files", columns={column: "bytes", "at": "modified"})
        for place, file in enumerate(list_files(uri)):
            target = Target(folder=str(home / "staged"), name=str(place))
            parts = stage_file(file, target, source, RECORDINGS).parts
            first_rows, tables = {part.name: part.first_row for part in parts}, str(home / "tables")
            order = Order(
                target.folder, first_rows, 1, f"night-{place}", tables, "tests.recordings", "source", LIMITS, {}
            )
            ranged = validate_share(Share(buckets=Buckets()), order)
            quarantine = Table(tables, QUARANTINE)
            report = ranged.report
            for share in shares(sum(ranged.broken.values())) if ranged.broken else ():
                report += quarantine_share(
                    share, list(ranged.broken), f"night-{place}", Known([], []), quarantine, drop_late=False
                )
            rules |= {rule: report.examples[rule] for rule in report.broken}
            assert report.days.total() + report.broken.total() > 0
            truth = Table(tables, RECORDINGS)
            truth.commit(report.accepted, [f"file:{place}"])
            quarantine.commit(report.quarantined, [f"file:{place}"])
        accepted += truth.read()[column].to_pylist()
        _too_long_is_named(quarantine, kind)
    assert sorted(accepted) == sorted([WAV, FLAC, SAID])
    assert set(rules) == BROKEN


def _too_long_is_named(quarantine: Table, kind: str) -> None:
    kept = [row for row in quarantine.read().to_pylist() if row["rule"] == "sound longer than 8,388,608 bytes"]
    assert len(kept) == (kind == "wav")
    assert all(json.loads(row["row"])["path"].endswith("huge.wav") for row in kept)
