from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.buckets import Buckets
from data_contracts.night import Workspace
from data_contracts.staged import read_rows
from data_contracts.use_cases import incoming_tables
from tasks.ingest.errors import IngestError, UnreadableFileError, WrongColumnError
from tasks.ingest.raw import MARK
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night
from tests.tasks.ingest.source import source_of, stage

NAMES = ["user_id", "item_id", "timestamp", "value"]
HEAD, LINE, DAY = ",".join(NAMES) + "\n", "u,i,2026-11-20,1.5\n", "2026-11-20"
JSON = json.dumps({"user_id": "u", "item_id": "i", "timestamp": DAY}) + "\n"
NOT_SPLIT, NOT_JSON = "wrong number of columns", "not JSON"


def _csv(ids: Sequence[tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerows([NAMES, *((user, item, DAY, "1") for user, item in ids)])
    return text.getvalue().encode()


def _json(ids: Sequence[tuple[str, str]], *, ascii_only: bool = False) -> bytes:
    rows = [{"user_id": user, "item_id": item, "timestamp": DAY} for user, item in ids]
    return "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()


def _parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), file, **options)
    written: bytes = file.getvalue().to_pybytes()
    return written


def _columns(ids: Sequence[tuple[str, str]]) -> dict[str, Any]:
    users, items = zip(*ids, strict=True)
    return {"user_id": list(users), "item_id": list(items), "timestamp": [DAY] * len(ids)}


def _packed(ids: Sequence[tuple[str, str]]) -> bytes:
    columns = _columns(ids)
    return _parquet(columns | {name: pa.array(columns[name]).dictionary_encode() for name in ("user_id", "item_id")})


UUID_ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
NASTY_IDS = [
    "\U0001f469\u200d\U0001f52c",
    "שלום",
    "e\u0301",
    "\u2028",
    "\x85x",
    "\ufeff",
    "\0",
    '"',
    "'",
    ",",
    "a\nb",
    "\u00a0x",
    "NULL",
    "nan",
]
ANY_ID = (
    st.builds("{}{}".format, st.text(max_size=12), st.sampled_from(NASTY_IDS))
    .filter(str.strip)
    .filter(lambda text: MARK not in text)  # two characters that are none: Hypothesis reads them in the program
)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        pytest.param("log.csv", _csv, id="csv"),
        pytest.param("log.jsonl", _json, id="jsonl"),
        pytest.param("escaped.jsonl", lambda ids: _json(ids, ascii_only=True), id="jsonl, escaped"),
        pytest.param("log.parquet", lambda ids: _parquet(_columns(ids)), id="parquet"),
        pytest.param("packed.parquet", _packed, id="parquet, packed"),
    ],
)
@given(ids=st.lists(st.tuples(ANY_ID, ANY_ID), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_any_id_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, name: str, write: Callable[..., bytes], ids: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("ids") / name
    _, rows = stage(path, write(ids), format=name.split(".")[1])
    assert [(row["user_id"], row["item_id"]) for row in rows] == ids
    assert {row["problem"] for row in rows} == {None}


@pytest.mark.parametrize(
    ("content", "settings", "users", "problems"),
    [
        pytest.param(b"\xef\xbb\xbf" + (HEAD + LINE).encode(), {}, ["u"], [None], id="byte order mark"),
        pytest.param("\ufeff" + JSON, {"format": "jsonl"}, ["u"], [None], id="byte order mark, JSON"),
        pytest.param((HEAD + LINE + LINE).replace("\n", "\r\n"), {}, ["u", "u"], [None] * 2, id="CRLF"),
        pytest.param(HEAD + LINE.replace("\n", "\r\n") + LINE, {}, ["u", "u"], [None] * 2, id="both ends of lines"),
        pytest.param(HEAD, {}, [], [], id="only a head"),
        pytest.param("", {"format": "jsonl"}, [], [], id="empty, JSON"),
        pytest.param(gzip.compress(b""), {"format": "sequences"}, [], [], id="empty, packed"),
        pytest.param(HEAD + ",,,\n", {}, [None], [None], id="nothing in a row"),
        pytest.param(HEAD + LINE + "u,i,2026", {}, ["u", None], [None, NOT_SPLIT], id="last line cut"),
        pytest.param(HEAD + LINE + "\0" * 99, {}, ["u", None], [None, NOT_SPLIT], id="zeros at the end"),
        pytest.param(JSON + JSON[:20], {"format": "jsonl"}, ["u", None], [None, NOT_JSON], id="last line cut, JSON"),
        pytest.param(
            JSON.replace('"u"', '"\\ud800"'),
            {"format": "jsonl"},
            [None],
            ["user_id is not UTF-8"],
            id="half a surrogate",
        ),
        pytest.param(
            JSON.replace('"u"', "18446744073709551615") + JSON.replace('"u"', "18446744073709551616"),
            {"format": "jsonl"},
            ["18446744073709551615", None],
            [None, "user_id unparseable"],
            id="a number of more than 64 bits",
        ),
        pytest.param("\u00a0v 1\u2028\n", {"format": "sequences"}, ["\u00a0v"], [None], id="blanks that part nothing"),
        pytest.param(
            HEAD + LINE + "x" * 20_000 + LINE,
            {},
            ["u", None],
            [None, "user_id longer than 16,384 bytes"],
            id="a long id",
        ),
    ],
)
def test_what_can_be_read_is_read_and_what_cannot_is_kept_aside(
    tmp_path: Path, content: bytes | str, settings: dict[str, Any], users: list[str | None], problems: list[str | None]
) -> None:
    packed = isinstance(content, bytes) and content[:2] == b"\x1f\x8b"
    _, rows = stage(tmp_path / ("log.gz" if packed else "log"), content, **settings)
    assert [row["user_id"] for row in rows] == users
    assert [row["problem"] for row in rows] == problems
    for row in rows:
        assert (row["original"] is None) == (row["problem"] is None)
        assert len(json.dumps(json.loads(row["original"] or "{}"))) < 1_000, "cut, and still JSON"


@pytest.mark.parametrize(
    ("users", "wanted"),
    [
        pytest.param(pa.array([1.0, 2.5, 2.0**53, float("nan")]), ["1", "2.5", None, None], id="float"),
        pytest.param(pa.array([3.0], pa.float32()), ["3"], id="small float"),
        pytest.param(pa.array([Decimal("12.50"), Decimal("100.00")]), ["12.5", "100"], id="decimal"),
        pytest.param(pa.array([Decimal("7.00")], pa.decimal256(60, 2)), ["7"], id="wide decimal"),
        pytest.param(pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"], id="unsigned"),
        pytest.param(pa.array(["é", None], pa.large_string()), ["é", None], id="large text"),
        pytest.param(pa.array(["é"], pa.string_view()), ["é"], id="view"),
        pytest.param(pa.array([7, None]).dictionary_encode(), ["7", None], id="packed numbers"),
        pytest.param(pa.nulls(2), [None, None], id="nulls"),
        pytest.param(pa.array([UUID_ID.bytes, None], pa.uuid()), [str(UUID_ID), None], id="UUID"),
        pytest.param(pa.array(['{"a":1}', None], pa.json_()), ['{"a":1}', None], id="JSON"),
    ],
)
@pytest.mark.parametrize("by_arrow", [True, False])
def test_ids_of_any_type_are_written_as_people_write_them(
    tmp_path: Path, users: pa.Array, wanted: list[Any], *, by_arrow: bool
) -> None:
    other = pa.nulls(len(users))
    table = {"user_id": users, "item_id": other, "timestamp": other, "value": other}
    staged, rows = stage(tmp_path / "log.parquet", _parquet(table, store_schema=by_arrow), format="parquet")
    assert [row["user_id"] for row in rows] == wanted
    assert "extension" not in staged.columns["user_id"]


@pytest.mark.parametrize("year", [1, 1969, 2600, 9999])
def test_the_old_timestamps_of_spark_are_read_in_any_year(tmp_path: Path, year: int) -> None:
    moment = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    table = {"user_id": ["u"], "item_id": ["i"], "timestamp": [moment]}
    content = _parquet(table, use_deprecated_int96_timestamps=True)
    _, (row,) = stage(tmp_path / "log.parquet", content, format="parquet")
    assert row["timestamp"] == moment


def test_a_row_of_more_bytes_than_a_block_is_read_alone(tmp_path: Path) -> None:
    table = _columns([("u" * 9_000_000, "i"), ("v" * 9_000_000, "i")])
    _, rows = stage(tmp_path / "log.parquet", _parquet(table, use_dictionary=False), format="parquet")
    assert [row["problem"] for row in rows] == ["user_id longer than 16,384 bytes"] * 2


DAYS_OF_NO_CALENDAR = [
    pytest.param(pa.timestamp("us"), 253_402_300_800_000_000, "+10000-01-01", id="year 10000"),
    pytest.param(pa.timestamp("us", "UTC"), 253_402_300_800_000_000, "+10000-01-01", id="year 10000, UTC"),
    pytest.param(pa.timestamp("us"), -62_167_219_200_000_000, "0000-01-01", id="year 0"),
    pytest.param(pa.timestamp("ms"), 1_795_348_800_000_000, "+58862-05-04", id="microseconds as milliseconds"),
    pytest.param(pa.timestamp("ms"), 2**63 - 1, str(2**63 - 1), id="the largest milliseconds"),
    pytest.param(pa.timestamp("us"), 2**63 - 1, str(2**63 - 1), id="the largest number"),
    pytest.param(pa.timestamp("us"), -(2**63), str(-(2**63)), id="the smallest number"),
    pytest.param(pa.date32(), 3_000_000, "+10183-09-21", id="a day"),
    pytest.param(pa.date32(), 2**31 - 1, str(2**31 - 1), id="the last day"),
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(("kind", "number", "shown"), DAYS_OF_NO_CALENDAR)
def test_a_time_that_no_calendar_has_costs_its_row_and_is_shown(
    tmp_path: Path, kind: pa.DataType, number: int, shown: str, zone: str
) -> None:
    times = pa.array([number, 0], pa.int32() if kind == pa.date32() else pa.int64()).cast(kind)
    table = {"user_id": ["u", "v"], "item_id": times, "timestamp": times}
    staged, rows = stage(tmp_path / "log.parquet", _parquet(table), format="parquet", time_zone=zone)
    assert [row["problem"] for row in rows] == ["timestamp unparseable", None]
    assert json.loads(rows[0]["original"])["timestamp"].startswith(shown)
    assert rows[0]["item_id"].startswith(shown), "an id may be anything"
    assert staged.unread_time.startswith(f"'{shown}")


def _flipped(raw: bytes) -> bytes:
    place = len(raw) // 3
    return raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]


MANY = [(f"u{number}", "i") for number in range(20_000)]
TWICE = pa.Table.from_arrays([pa.array(["a"])] * 4, names=["user_id", "user_id", "item_id", "timestamp"])


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        pytest.param("log.csv", b"", UnreadableFileError, r"log.csv \(0 bytes\) .* no whole line", id="empty"),
        pytest.param("log.csv", HEAD.strip(), UnreadableFileError, "no whole line", id="cut in the head"),
        pytest.param("log.csv.gz", gzip.compress(b""), UnreadableFileError, "no whole line", id="packed, empty"),
        pytest.param(
            "log.csv", LINE.encode("utf-16"), UnreadableFileError, "order mark of UTF-16, wanted UTF-8", id="UTF-16"
        ),
        pytest.param(
            "log.jsonl", JSON.encode("utf-16"), UnreadableFileError, "order mark of UTF-16", id="UTF-16, JSON"
        ),
        pytest.param("log.csv.gz", gzip.compress(HEAD.encode()) + b"rest", UnreadableFileError, "inflate", id="tail"),
        pytest.param(
            "log.csv.gz", gzip.compress(HEAD.encode())[:-8] + b"\0" * 8, UnreadableFileError, "check", id="wrong sum"
        ),
        pytest.param(
            "log.csv", HEAD + LINE + "x" * 20_000_000 + LINE, UnreadableFileError, "longer than 8,388", id="long line"
        ),
        pytest.param(
            "log.jsonl.gz",
            gzip.compress(bytes(20_000_000)),
            UnreadableFileError,
            "longer than 8,388",
            id="zeros, packed",
        ),
        pytest.param("log.csv", f"user_id,{HEAD},{LINE}", WrongColumnError, "more than once", id="a column twice"),
        pytest.param("log.parquet", _parquet(TWICE), WrongColumnError, "more than once", id="twice, Parquet"),
        pytest.param("log.parquet", b"", UnreadableFileError, "0 bytes", id="empty, Parquet"),
        pytest.param("log.parquet", HEAD + LINE, UnreadableFileError, "not a parquet file", id="no Parquet"),
        pytest.param(
            "log.parquet",
            _flipped(_parquet(_columns(MANY), write_page_checksum=True, compression="none")),
            UnreadableFileError,
            "CRC checksum",
            id="a page changed",
        ),
        pytest.param(
            "log.parquet",
            _parquet(_columns([("u" * 20_000 + str(number), "i") for number in range(4_000)])),
            UnreadableFileError,
            "holds 20,0.. bytes a row in column 'user_id'",
            id="nothing but long ids",
        ),
        pytest.param(
            "log.parquet",
            _parquet(_columns(MANY) | {"user_id": [{"id": 1}] * len(MANY)}),
            WrongColumnError,
            "'user_id' is Struct",
            id="nested",
        ),
        *(
            pytest.param(
                "log.parquet",
                _parquet(_columns(MANY[:2]) | {"user_id": users}),
                WrongColumnError,
                rf"column 'user_id' is {name}.*: nothing says what",
                id=f"bytes of no meaning, {name}",
            )
            for name, users in {
                "fixed_size_binary": pa.array([UUID_ID.bytes, None], pa.binary(16)),
                "extension<arrow.bool8>": pa.array([1, 0], pa.int8()).cast(pa.bool8()),
            }.items()
        ),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | str, kind: type[IngestError], message: str
) -> None:
    with pytest.raises(kind, match=message) as error:
        stage(tmp_path / name, content, format=name.split(".")[1])
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1_000


def test_every_id_reaches_the_table_as_it_came_and_a_long_one_the_quarantine(tmp_path: Path, cluster: str) -> None:
    workspace = Workspace(name="shop", use_case="recommender", home=str(tmp_path / "home"), tracking_uri="sqlite://")
    ids = [(f"{nasty}{number}", nasty + "!") for number, nasty in enumerate(NASTY_IDS * 10)]
    logs = tmp_path / "log.jsonl"
    logs.write_bytes(_json(ids) + _json([("x" * 1_000_000, "i"), ("y" * 300, "i")]))
    config = ValidationConfig(max_quarantined=0.1)
    staged = stage_night(workspace, source_of(uri=str(logs), format="jsonl"), cluster)
    validate_night(workspace, staged, None, config, cluster)
    events, quarantine, _ = incoming_tables(workspace)
    rows = events.read(columns=["user_id", "item_id"]).to_pylist()
    assert sorted((row["user_id"], row["item_id"]) for row in rows) == sorted(ids)
    broken = {row["rule"]: row["row"] for row in quarantine.read().to_pylist()}
    assert sorted(broken) == ["user_id longer than 16,384 bytes", "user_id too long"]
    assert max(map(len, broken.values())) < 1_000
    assert all(json.loads(row) for row in broken.values())


def test_memory_does_not_grow_with_what_a_row_holds(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    many = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), [long])
    columns = _columns([("u", f"i{number}") for number in range(20_000)])
    contents: dict[str, bytes] = {
        "ids.csv": _csv([(f"{long}{number}", "i") for number in range(40)]),
        "ids.jsonl": _json([(f"{long}{number}", "i") for number in range(40)]),
        "ids.parquet": _parquet(_columns([(f"{long}{number}", "i") for number in range(50)])),
        "packed.parquet": _parquet(columns | {"user_id": many}),
        "zeros.csv.gz": gzip.compress(bytes(50_000_000), compresslevel=1),
        "user.sequences": f"{long}{' 1' * 500_000}\n".encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in contents]
    command = [sys.executable, "-m", "tests.tasks.ingest.stage_in", *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *ends, peak = done.stdout.split()
    assert ends == ["staged"] * 4 + ["UnreadableFileError", "staged"]
    assert int(peak) < 3 * 2**29, "20 GB of texts in one of them"
    assert _problems(tmp_path) == {"user_id longer than 16,384 bytes": 20_000}


def _problems(folder: Path) -> dict[str, int]:
    parts = sorted(path.name for path in folder.glob("packed.parquet.staged-*"))
    rows = pl.concat(read_rows(str(folder), dict.fromkeys(parts, 0), 1, Buckets()))
    return dict(rows["problem"].value_counts().iter_rows())
