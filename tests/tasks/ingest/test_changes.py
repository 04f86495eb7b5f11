from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.night import Workspace
from data_contracts.recommender.events import EVENTS
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.ingest.changes import Span, agreed, compared, remembered
from tasks.ingest.columns import described
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import ChangedColumnError
from tasks.ingest.files import StagedFile
from tasks.ingest.sources import SourceFile
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

TEXT = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        pytest.param(pa.int32(), pa.int64(), "wider", id="int"),
        pytest.param(pa.int64(), pa.float64(), "wider", id="int to float"),
        pytest.param(pa.int16(), pa.float32(), "wider", id="int that a small float holds"),
        pytest.param(pa.int32(), pa.float32(), "of another kind", id="int that a small float does not hold"),
        pytest.param(pa.uint32(), pa.int64(), "wider", id="unsigned"),
        pytest.param(pa.uint64(), pa.int64(), "of another kind", id="unsigned that is too large"),
        pytest.param(pa.float32(), pa.float64(), "wider", id="float"),
        pytest.param(pa.date32(), pa.timestamp("us"), "wider", id="day to time"),
        pytest.param(pa.date32(), pa.timestamp("ms", "UTC"), "wider", id="day to time with a zone"),
        pytest.param(pa.timestamp("s"), pa.timestamp("ns"), "wider", id="finer time"),
        pytest.param(pa.timestamp("ms"), pa.timestamp("ms", "Asia/Tokyo"), "wider", id="zone said"),
        pytest.param(pa.timestamp("us"), pa.timestamp("ms", "UTC"), "of another kind", id="zone said, coarser"),
        pytest.param(pa.timestamp("us", "UTC"), pa.timestamp("us", "Asia/Tokyo"), "", id="another zone"),
        pytest.param(pa.decimal128(9, 2), pa.decimal128(12, 4), "wider", id="decimal"),
        pytest.param(pa.decimal128(9, 2), pa.decimal128(9, 4), "of another kind", id="fraction for whole digits"),
        pytest.param(pa.string(), pa.large_string(), "", id="large text"),
        pytest.param(TEXT, pa.string_view(), "", id="packed text"),
        pytest.param(pa.int64(), pa.string(), "of another kind", id="int to text"),
        pytest.param(pa.list_(pa.int64()), pa.int64(), "of another kind", id="list"),
    ],
)
def test_types_are_compared_by_what_they_can_hold(before: pa.DataType, now: pa.DataType, wanted: str) -> None:
    old, new = described(pa.schema([("a", before), ("b", now)])).values()
    assert compared(old, new) == wanted
    assert compared(new, old) == ("narrower" if wanted == "wider" else wanted)


def test_a_column_of_nothing_but_nulls_says_nothing_about_its_type() -> None:
    assert compared("double", "null") == ""
    assert compared("null", "double") == "wider"


def _file(name: str, **columns: str) -> StagedFile:
    source = SourceFile(uri=f"file:///{name}", size=1, transaction=name)
    examples = dict.fromkeys(columns, "3.0")
    return StagedFile(source=source, rows=0, columns=columns, examples=examples)


READ = {"user_id": "int64", "item_id": "string", "timestamp": "timestamp[us]", "value": "float"}
PARQUET = SourceConfig(format="parquet")


def _known(columns: dict[str, str]) -> dict[str, Span]:
    """What is known of columns that always had one type."""
    return {name: (kind, kind) for name, kind in columns.items()}


def test_what_is_new_wider_or_not_read_is_recorded_and_remembered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    files = [
        _file("a", **READ, page="int64", shop="string"),
        _file("b", **READ | {"value": "double"}, page="int32", country="string"),
        _file("c", **READ | {"value": "double"}, page="int32", country="string"),
    ]
    known = agreed(files, _known(READ | {"page": "int64", "gone": "bool"}), PARQUET, EVENTS)
    one = _known(READ | {"page": "int32", "shop": "string", "country": "string"})
    assert known == one | {"value": ("float", "double")}
    assert [record.getMessage() for record in caplog.records] == [
        "Source: column 'gone' is missing (bool), from a, b, c.",
        "Source: column 'shop' is new (string), in a.",
        "Source: column 'shop' is missing (string), from b, c.",
        "Source: column 'value' is wider (float -> double), in b.",
        "Source: column 'page' is narrower (int64 -> int32), in b.",
        "Source: column 'country' is new (string), in b.",
    ]


def test_every_change_that_is_refused_is_named_with_its_files() -> None:
    others = [_file(f"{number}", **READ | {"user_id": "int32"}) for number in range(5)]
    without = {name: kind for name, kind in READ.items() if name != "value"}
    files = [_file("first", **READ), *others, _file("last", **without | {"item_id": "int64"})]
    with pytest.raises(ChangedColumnError) as error:
        agreed(files, {}, PARQUET, EVENTS)
    assert str(error.value) == (
        "3 changes in columns that are read:\n"
        "  - column 'user_id' is narrower (int64 -> int32), in 0, 1, 2 and 2 more files\n"
        "  - column 'value' is missing (float), from last\n"
        "  - column 'item_id' is of another kind (string -> int64), in last\n"
        "Nothing was published. Mend the files or, if this is meant, set source.accept_changes to true for one night."
    )
    meant = SourceConfig(format="parquet", accept_changes=True)
    assert agreed(files, {}, meant, EVENTS) == _known(READ | {"item_id": "int64"}) | {"user_id": ("int32", "int64")}


def test_only_the_columns_that_the_settings_read_can_stop_a_night() -> None:
    mapped = SourceConfig(format="parquet", columns={"user_id": "who"})
    files = [_file("a", who="string", user_id="string", item_id="string", timestamp="date")]
    known = READ | {"who": "string", "value": "null"}
    with pytest.raises(ChangedColumnError, match=r"(?s)1 changes .*'value' is missing"):
        agreed(files, _known(known | {"timestamp": "date"}), mapped, EVENTS)


def test_an_old_file_may_come_again_in_the_type_it_had_and_nothing_narrower() -> None:
    known = _known(READ | {"user_id": "int32"})
    for kind in ("null", "int64", "int32", "double", "int64"):
        known = agreed([_file(kind, **READ | {"user_id": kind})], known, PARQUET, EVENTS)
    assert known["user_id"] == ("int32", "double")
    for kind, how in (("int16", "narrower"), ("string", "of another kind"), ("float", "narrower")):
        with pytest.raises(ChangedColumnError, match=rf"'user_id' is {how} \(double -> {kind}\)"):
            agreed([_file(kind, **READ | {"user_id": kind})], known, PARQUET, EVENTS)
    empty = agreed([_file("empty", **READ | {"user_id": "null"})], {}, PARQUET, EVENTS)
    assert agreed([_file("first", **READ)], empty, PARQUET, EVENTS)["user_id"] == ("int64", "int64")


def test_an_optional_field_of_json_lines_is_remembered_through_nights_that_have_none() -> None:
    source = SourceConfig(format="jsonl")
    names = dict.fromkeys(("user_id", "item_id", "timestamp"), "string")
    files = [_file("a", **names), _file("b", **names, value="string"), _file("c")]
    wanted = _known(names | {"value": "string"})
    assert agreed(files, wanted, source, EVENTS) == wanted
    assert agreed([files[0], files[2]], wanted, source, EVENTS) == wanted


def test_a_field_of_json_lines_that_is_needed_or_mapped_is_missing_when_no_file_of_the_night_has_it() -> None:
    source = SourceConfig(format="jsonl", columns={"value": "price"})
    names = dict.fromkeys(("user_id", "item_id", "timestamp"), "string")
    known = _known(names | {"price": "string"})
    with pytest.raises(ChangedColumnError, match=r"(?s)1 changes.*'price' is missing .*, from a, c"):
        agreed([_file("a", **names), _file("c")], known, source, EVENTS)
    with pytest.raises(ChangedColumnError, match=r"4 changes"):
        agreed([_file("c")], known, source, EVENTS)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_columns_that_expressions_and_lists_read_are_compared_like_any_other(kind: Any) -> None:
    source = SourceConfig(format=kind, where="bot IS NULL", compute={"value": "stars + 1"})
    known = _known(READ | {"bot": "bool", "stars": "int64"})
    assert agreed([_file("a", **READ, bot="bool", stars="double")], known, source, EVENTS)["stars"][1] == "double"
    with pytest.raises(ChangedColumnError, match=r"'stars' is of another kind \(int64 -> string\)"):
        agreed([_file("a", **READ, bot="bool", stars="string")], known, source, EVENTS)
    if kind == "parquet":
        with pytest.raises(ChangedColumnError, match=r"'bot' is missing"):
            agreed([_file("a", **READ, stars="int64")], known, source, EVENTS)
        return
    may_be_null = agreed([_file("a", **READ, stars="int64")], known, source, EVENTS)
    assert may_be_null["bot"] == ("bool", "bool"), "a file says at least null, or it is refused when it is read"


def test_a_column_of_which_ids_are_made_may_not_be_written_otherwise() -> None:
    source = SourceConfig(format="parquet", compute={"user_id": "f0 || '_' || f1"})
    known = _known(READ | {"f0": "int64", "f1": "whole numbers"})
    for change in ({"f0": "double"}, {"f1": "fractions"}):
        with pytest.raises(ChangedColumnError, match=f"{next(iter(change))!r} is (wider|written otherwise)"):
            agreed([_file("a", **READ | {"f0": "int64", "f1": "whole numbers"} | change)], known, source, EVENTS)
    other = READ | {"user_id": "string", "f0": "int64", "f1": "text"}
    assert agreed([_file("a", **other)], known, source, EVENTS), "user_id itself is not read any more"


CSV = SourceConfig()
TEXTS = {"user_id": "whole numbers", "item_id": "text", "timestamp": "string"}


@pytest.mark.parametrize(("before", "now"), [("whole numbers", "fractions"), ("fractions", "whole numbers")])
def test_ids_that_are_written_otherwise_than_before_are_refused_with_an_example(before: str, now: str) -> None:
    with pytest.raises(ChangedColumnError) as error:
        agreed([_file("b.csv", **TEXTS | {"user_id": now})], _known(TEXTS | {"user_id": before}), CSV, EVENTS)
    assert f"column 'user_id' is written otherwise ({before} -> {now}), e.g. '3.0', in b.csv" in str(error.value)
    meant = agreed(
        [_file("b.csv", **TEXTS | {"user_id": now})], _known(TEXTS), SourceConfig(accept_changes=True), EVENTS
    )
    assert meant["user_id"] == (now, now), "the next night is compared with what was accepted"


def test_two_files_of_one_night_are_compared_with_each_other() -> None:
    for source in (CSV, SourceConfig(format="jsonl")):
        with pytest.raises(ChangedColumnError, match=r"1 changes.*\n.*'user_id' is written otherwise .* in b"):
            agreed([_file("a", **TEXTS), _file("b", **TEXTS | {"user_id": "fractions"})], {}, source, EVENTS)


def test_the_first_form_that_all_ids_had_is_kept_through_nights_that_have_several() -> None:
    known = _known(TEXTS | {"user_id": "string"})  # as notes had it before forms were remembered
    for form in ("null", "whole numbers", "text", "null", "string"):
        known = agreed([_file(form, **TEXTS | {"user_id": form})], known, CSV, EVENTS)
    assert known["user_id"] == ("whole numbers", "whole numbers")
    with pytest.raises(ChangedColumnError, match="written otherwise"):
        agreed([_file("odd", **TEXTS | {"user_id": "fractions"})], known, CSV, EVENTS)


def test_ids_that_were_written_in_several_ways_may_be_written_in_any() -> None:
    known = _known(TEXTS | {"user_id": "text"})
    for form in ("fractions", "whole numbers", "fractions"):
        known = agreed([_file(form, **TEXTS | {"user_id": form})], known, CSV, EVENTS)
    assert known["user_id"] == ("text", "text")


def test_a_form_of_text_is_no_other_type() -> None:
    assert compared("string", "fractions") == compared("text", "string") == ""
    assert compared("whole numbers", "int64") == "of another kind"


def test_a_column_may_stand_in_the_path_of_some_files_and_in_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    files = [_file(kind, **READ, event=kind) for kind in ("path", "string", "path", "string")]
    known = agreed(files, {}, PARQUET, EVENTS)
    assert known["event"] == ("string", "string")
    assert agreed(files[:1], known, PARQUET, EVENTS) == known


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_column_that_goes_from_the_path_is_missing(kind: Any) -> None:
    source = SourceConfig(format=kind)
    with pytest.raises(ChangedColumnError, match=r"'event' is missing \(path\)"):
        agreed([_file("a", **READ)], _known(READ | {"event": "path"}), source, EVENTS)


def _rows(day: date, **columns: Any) -> pa.Table:
    times = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in range(20)]
    return pa.table({"user_id": [1, 2] * 10, "item_id": ["a", "b", "c", "d"] * 5, "timestamp": times} | columns)


def test_a_night_remembers_its_columns_with_its_commit_and_not_before(tmp_path: Path, cluster: str) -> None:
    workspace = Workspace(name="shop", use_case="recommender", home=str(tmp_path / "home"), tracking_uri="sqlite://")
    logs = tmp_path / "logs"
    logs.mkdir()
    events = Table(workspace.tables, promises("recommender").contracts["events"])

    def stage(**settings: Any) -> Any:
        return stage_night(workspace, SourceConfig(uri=str(logs), format="parquet", **settings), cluster)

    pq.write_table(_rows(date(2026, 11, 1)), logs / "1.parquet")
    staged = stage()
    assert remembered(events) == {}, "nothing is remembered of a night that was not published"
    validate_night(workspace, staged, None, ValidationConfig(), cluster)
    plain = _known({"user_id": "int64", "item_id": "text", "timestamp": "timestamp[us, UTC]"})
    pq.write_table(_rows(date(2026, 11, 1), user_id=pa.nulls(20)).slice(0, 0), logs / "empty.parquet")
    validate_night(workspace, stage(), None, ValidationConfig(), cluster)
    assert remembered(events) == plain, "a file without rows says nothing"

    wide = pa.array([1.0, 2.0] * 10), pa.array([Decimal("0.5")] * 20)
    pq.write_table(_rows(date(2026, 11, 2), user_id=wide[0], value=wide[1]), logs / "2.parquet")
    validate_night(workspace, stage(), None, ValidationConfig(), cluster)
    assert remembered(events) == plain | _known({"value": "decimal128(1, 1)"}) | {"user_id": ("int64", "double")}
    assert set(events.read()["user_id"].to_pylist()) == {"1", "2"}, "a wider type is no other user"

    narrow = pa.array([1, 2] * 10, pa.int32())
    pq.write_table(_rows(date(2026, 11, 3), user_id=narrow), logs / "3.parquet")
    with pytest.raises(ChangedColumnError, match=r"(?s)'value' is missing .*'user_id' is narrower .*Nothing was publ"):
        stage()
    assert not list(Path(workspace.staging).rglob("*.parquet"))
    validate_night(workspace, stage(accept_changes=True), None, ValidationConfig(), cluster)
    assert remembered(events) == plain | _known({"user_id": "int32"})
