from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tasks.ingest.source import stage

HEAD = b"user_id,item_id,timestamp,title\n"
GOOD = b"u,i,2026-11-20,fine\n"


def _text_as_it_is(values: list[bytes | None], kind: pa.DataType) -> pa.Array:
    """Call bytes text without looking at them, as some writers do."""
    raw = pa.array(values, pa.large_binary() if kind == pa.large_string() else pa.binary())
    return pa.Array.from_buffers(kind, len(values), raw.buffers())


def _parquet(users: pa.Array) -> bytes:
    file = pa.BufferOutputStream()
    table = {"user_id": users, "item_id": ["i"] * len(users), "timestamp": ["2026-11-20"] * len(users)}
    pq.write_table(pa.table(table | {"title": _text_as_it_is([b"\xe9"] * len(users), pa.string())}), file)
    written: bytes = file.getvalue().to_pybytes()
    return written


USERS: list[bytes | None] = [b"u", b"caf\xe9", None, "café".encode()]
BAD_COLUMN = [None, "user_id is not UTF-8", None, None]


@pytest.mark.parametrize(
    ("name", "content", "users", "problems", "kept"),
    [
        pytest.param(
            "log.csv",
            HEAD + GOOD + b"caf\xe9,i,2026-11-20,\n" + b"u,i,2026-11-20,caf\xe9\n" + b"b\xffd,i\n" + GOOD,
            ["u", None, "u", None, "u"],
            [None, "user_id is not UTF-8", None, "wrong number of columns", None],
            {1: {"user_id": r"caf\xe9", "item_id": "i", "timestamp": "2026-11-20"}, 3: {"line": r"b\xffd,i"}},
            id="CSV; where nobody reads it costs nothing",
        ),
        pytest.param(
            "log.csv.gz",
            gzip.compress(HEAD + "ü,i,2026-11-20,\n".encode() + b"\xff\xfe,i,2026-11-20,\n"),
            ["ü", None],
            [None, "user_id is not UTF-8"],
            {1: {"user_id": r"\xff\xfe", "item_id": "i", "timestamp": "2026-11-20"}},
            id="CSV, packed, beside other scripts",
        ),
        pytest.param(
            "log.jsonl",
            b'{"user_id":"\xc3(","item_id":"i","timestamp":"2026-11-20"}\n'
            b'{"user_id":"u","item_id":"i","timestamp":"2026-11-20"}\n{"user_id": \xff\n',
            [None, "u", None],
            ["line is not UTF-8", None, "line is not UTF-8"],
            {
                0: {"line": r'{"user_id":"\xc3(","item_id":"i","timestamp":"2026-11-20"}'},
                2: {"line": r'{"user_id": \xff'},
            },
            id="JSON Lines",
        ),
        pytest.param(
            "log.sequences",
            b"u 1 2\nv \xff 3\nw 4\n",
            ["u", "u", None, "w"],
            [None, None, "line is not UTF-8", None],
            {2: {"line": r"v \xff 3"}},
            id="sequences",
        ),
        *(
            pytest.param(
                "log.parquet",
                _parquet(users),
                ["u", None, None, "café"],
                BAD_COLUMN,
                {1: {"user_id": r"caf\xe9", "item_id": "i", "timestamp": "2026-11-20"}},
                id=f"Parquet, {users.type}",
            )
            for users in (
                pa.array(USERS, pa.binary()),
                _text_as_it_is(USERS, pa.string()),
                _text_as_it_is(USERS, pa.large_string()),
                pa.DictionaryArray.from_arrays(
                    pa.array([0, 1, None, 2], pa.int32()),
                    _text_as_it_is([b"u", b"caf\xe9", "café".encode()], pa.string()),
                ),
            )
        ),
    ],
)
def test_bytes_that_are_no_utf8_cost_their_row_alone_and_stay_readable(
    tmp_path: Path,
    name: str,
    content: bytes,
    users: list[str | None],
    problems: list[str | None],
    kept: dict[int, dict[str, Any]],
) -> None:
    _, rows = stage(tmp_path / name, content, format=name.split(".")[1])
    assert [row["user_id"] for row in rows] == users
    assert [row["problem"] for row in rows] == problems
    assert {n: json.loads(row["original"]) for n, row in enumerate(rows) if row["original"]} == kept
