from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.ingest.config import SourceConfig
from tasks.ingest.encodings import is_utf_8, problem_of
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.lines import BLOCK_BYTES
from tests.tasks.ingest.source import stage

HEAD, USERS = "user_id,item_id,timestamp\n", ["Zoë", "naïve", "Łódź", "日本", "€…"]


def _csv(users: list[str]) -> str:
    return HEAD + "".join(f"{user},i,2026-11-20\n" for user in users)


@pytest.mark.parametrize(
    ("encoding", "users"),
    [
        ("latin-1", ["Zoë", "naïve", "a\x85b"]),
        ("cp1252", ["Zoë", "€…"]),
        ("cp1250", ["Łódź"]),
        ("utf-16", USERS),
        ("utf-16-le", USERS),
        ("utf-32-be", USERS),
        ("shift_jis", ["日本"]),
        ("utf-8-sig", USERS),
        ("UTF8", USERS),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl"])
def test_text_is_read_as_it_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoding: str, users: list[str], kind: str
) -> None:
    rows = [{"user_id": user, "item_id": "i", "timestamp": "2026-11-20"} for user in users]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    content = (lines if kind == "jsonl" else _csv(users)).encode(encoding)
    packed = gzip.compress(content) if kind.endswith("gz") else content
    with caplog.at_level(logging.WARNING):
        _, staged = stage(tmp_path / f"log.{kind}", packed, format=kind.partition(".")[0], encoding=encoding)
    assert [row["user_id"] for row in staged] == users
    assert caplog.text == "", "the last row is not cut short"


def test_a_character_that_is_cut_by_the_end_of_a_block_is_read(tmp_path: Path) -> None:
    users = ["a" * 100 + "€"] * (BLOCK_BYTES // 400)
    for shift in range(2):
        _, rows = stage(tmp_path / "log.csv", _csv(["x" * shift, *users]).encode("utf-16"), encoding="utf-16")
        assert {row["user_id"] for row in rows[1:]} == set(users[:1])
        assert len(rows) == len(users) + 1


def test_bytes_that_the_codec_does_not_know_make_their_row_broken(tmp_path: Path) -> None:
    content = HEAD.encode() + b"Zo\xeb,i,2026-11-20\n\x81,i,2026-11-20\nb,i,2026-11-20\n"
    _, rows = stage(tmp_path / "log.csv", content, encoding="cp1252")
    assert [(row["user_id"], row["problem"]) for row in rows] == [
        ("Zoë", None),
        (None, "user_id is not cp1252"),
        ("b", None),
    ]
    assert json.loads(rows[1]["original"])["user_id"] == "\\x81"
    _, rows = stage(tmp_path / "log.txt", b"u\x81 i j\nv i j\n", format="sequences", encoding="cp1252")
    assert [row["problem"] for row in rows] == ["line is not cp1252", None, None]


def test_a_text_of_utf_16_that_is_cut_short_or_not_said_is_told(tmp_path: Path) -> None:
    content = _csv(["a", "b"]).encode("utf-16")
    _, rows = stage(tmp_path / "log.csv", content[:-1], encoding="utf-16")
    assert [row["user_id"] for row in rows][:1] == ["a"]
    assert rows[-1]["problem"] == "timestamp is not utf-16"
    with pytest.raises(UnreadableFileError, match=r"log.csv .*it is not utf-16: .*BOM. See source.encoding"):
        stage(tmp_path / "log.csv", _csv(["a"]), encoding="utf-16")
    with pytest.raises(UnreadableFileError, match=r"set source\.encoding to utf-16"):
        stage(tmp_path / "log.csv", content)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"encoding": "latin1x"}, "no codec of Python for text.*near it are latin1"),
        ({"encoding": "base64"}, "no codec of Python for text"),
        ({"encoding": "cp037"}, "writes line breaks otherwise than ASCII"),
        ({"encoding": ""}, "no codec of Python"),
        ({"encoding": "latin-1", "format": "parquet"}, "encoding has no meaning"),
    ],
)
def test_what_no_text_can_be_read_by_is_refused_with_the_settings(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SourceConfig.model_validate(settings)


def test_utf_8_has_several_names() -> None:
    assert all(is_utf_8(name) and problem_of(name) is None for name in ("utf-8", "UTF8", "u8", "utf-8-sig"))
    assert not is_utf_8("latin-1")
