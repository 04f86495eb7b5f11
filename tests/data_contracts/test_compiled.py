from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data_contracts import compiled, expectations
from data_contracts.counts import EXAMPLES
from data_contracts.rules import Rule, between, equal, none_of, not_null, null, one_of, unique

EXACT = 2**53 - 1
"""pandas has integers beside nulls as float64: beyond this it takes neighbours for one, and we do not."""

TEXT = st.sampled_from(["", "a", "A", "b ", "é", "e\u0301", "\0", "😀", "nan", "None"]) | st.text(max_size=3)
FEW = st.integers(-3, 3)
NUMBER = FEW | st.integers(-EXACT, EXACT)
WIDE = NUMBER | st.integers(-(2**63), 2**63 - 1)
SINGLE, DOUBLE = (FEW.map(float) | st.floats(width=width) for width in (32, 64))
MIDNIGHT = datetime(2026, 3, 9, tzinfo=UTC)
MOMENT = st.datetimes(timezones=st.just(UTC)) | FEW.map(lambda number: MIDNIGHT + timedelta(microseconds=number))
EAST = timezone(timedelta(hours=8))

COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), TEXT),
    "other_text": (pa.string(), TEXT),
    "number": (pa.int64(), NUMBER),
    "other_number": (pa.int64(), NUMBER),
    "wide": (pa.int64(), WIDE),
    "small": (pa.int8(), st.integers(-128, 127)),
    "single": (pa.float32(), SINGLE),
    "double": (pa.float64(), DOUBLE),
    "flag": (pa.bool_(), st.booleans()),
    "moment": (pa.timestamp("us", tz="UTC"), MOMENT),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw up to 40 rows, of columns with nulls, without any, and with nothing else."""
    rows = draw(st.integers(0, 3) | st.integers(0, 40))
    drawn: dict[str, pa.Array] = {}
    for name, (kind, values) in COLUMNS.items():
        value = values if name == "wide" else draw(st.sampled_from([values, values | st.none(), st.none()]))
        drawn[name] = pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), kind)
    return pa.table(drawn)


def _bounds(name: str) -> st.SearchStrategy[Any]:
    if COLUMNS[name][0] == pa.timestamp("us", tz="UTC"):
        return MOMENT | FEW.map(lambda number: MIDNIGHT.astimezone(EAST) + timedelta(microseconds=number))
    return NUMBER | FEW.map(float) | st.floats(allow_nan=False)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Draw one of any kind that is compiled, without a name."""
    column = draw(st.sampled_from(list(COLUMNS)))
    kind = COLUMNS[column][0]
    made = [not_null(column, ""), null(column, "")]
    if column in {"text", "number", "small"}:
        made.append(unique(column, ""))
    if column in {"text", "number"}:
        made.append(equal(column, f"other_{column}", ""))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        low, high = sorted([draw(_bounds(column)), draw(_bounds(column))])
        low, high = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
        strict = draw(st.fixed_dictionaries({}, optional={"strict_min": st.booleans(), "strict_max": st.booleans()}))
        plain = between(column, low, high, "")
        made.append(Rule("", plain.expectation, {**plain.arguments, **strict}))
    if not pa.types.is_floating(kind) and not pa.types.is_timestamp(kind):
        values = draw(st.lists(NUMBER if pa.types.is_integer(kind) else COLUMNS[column][1], max_size=4))
        made += [one_of(column, values, ""), none_of(column, values, "")]
    return draw(st.sampled_from(made))


@settings(max_examples=12, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
@given(rows=tables(), drawn=st.lists(rules(), min_size=30, max_size=30))
def test_compiled_rules_say_what_great_expectations_says(rows: pa.Table, drawn: Sequence[Rule]) -> None:
    named = [replace(rule, name=f"{number}") for number, rule in enumerate(drawn)]
    seen = compiled.found(rows, named)
    wanted, failed = expectations.found(rows, named)
    assert len(seen) == len(named), "each of these is known"
    for rule in named:
        if rule.name in failed:
            assert rule.arguments.get("column_A") == "text", failed[rule.name]
            assert failed[rule.name] == "boolean value of NA is ambiguous"
        else:
            assert seen[rule.name].broken.tolist() == wanted[rule.name].broken.tolist(), rule
            assert seen[rule.name].counts == wanted[rule.name].counts, rule


def test_text_beside_nothing_is_not_equal_to_it() -> None:
    """Great Expectations fails there, and says the same as we of numbers."""
    rows = pa.table({"a": ["x", None, "x", None], "b": ["x", "x", None, None]})
    (counts, broken) = compiled.found(rows, [equal("a", "b", "differ")])["differ"]
    assert broken.tolist() == [1, 2]
    assert (counts.elements, counts.missing, counts.unexpected) == (4, 1, 2)
    assert counts.examples == ((None, "x"), ("x", None))


def test_large_integers_beside_nulls_are_no_neighbours() -> None:
    rows = pa.table({"a": [2**53, 2**53 + 1, None], "b": [2**53, 2**53, None]})
    found = compiled.found(rows, [unique("a", "twice"), equal("a", "b", "differ")])
    assert [found[name].broken.tolist() for name in ("twice", "differ")] == [[], [1]]


def test_only_the_first_values_are_kept_as_json_knows_them() -> None:
    """Also moments that Python's own have no year for."""
    moments = pa.array([2**60, *range(99)], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    found = compiled.found(pa.table({"at": moments}), [null("at", "there")])
    examples = found["there"].counts.examples
    assert examples[1:3] == ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00.000001+00:00")
    assert examples[0].startswith("38504-")
    assert len(examples) == EXAMPLES


COLUMN = {"column": "number"}
BETWEEN, AMONG = "ExpectColumnValuesToBeBetween", "ExpectColumnValuesToBeInSet"


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule("", "ExpectColumnValuesToBeDecreasing", COLUMN), id="another kind"),
        pytest.param(not_null("nowhere", ""), id="a column that is not there"),
        pytest.param(not_null("bytes", ""), id="a column of bytes"),
        pytest.param(Rule("", BETWEEN, {**COLUMN, "min_value": 0, "mostly": 0.9}), id="mostly"),
        pytest.param(Rule("", BETWEEN, {**COLUMN, "min_value": 0, "row_condition": "a > 1"}), id="of some rows"),
        pytest.param(Rule("", BETWEEN, COLUMN), id="no bound"),
        pytest.param(between("number", 1, 0, ""), id="bounds in disorder"),
        pytest.param(between("number", EXACT + 1, None, ""), id="a bound that is not exact"),
        pytest.param(between("number", math.nan, None, ""), id="a bound that is no number"),
        pytest.param(between("number", MIDNIGHT, None, ""), id="a moment for a number"),
        pytest.param(between("moment", 0, None, ""), id="a number for a moment"),
        pytest.param(between("moment", datetime(2026, 3, 9), None, ""), id="a moment without a zone"),
        pytest.param(between("text", 0, None, ""), id="between texts"),
        pytest.param(Rule("", BETWEEN, {**COLUMN, "min_value": 0, "strict_min": None}), id="neither strict nor not"),
        pytest.param(one_of("number", ["1"], ""), id="texts for a number"),
        pytest.param(one_of("flag", [0, 1], ""), id="numbers for a boolean"),
        pytest.param(one_of("double", [1], ""), id="one of some floats"),
        pytest.param(Rule("", AMONG, {**COLUMN, "value_set": None}), id="one of nothing"),
        pytest.param(unique("double", ""), id="unique floats"),
        pytest.param(equal("number", "text", ""), id="a number equal to a text"),
    ],
)
def test_what_is_not_sure_is_left_to_great_expectations(rule: Rule) -> None:
    kinds = {name: kind for name, (kind, _) in COLUMNS.items()} | {"bytes": pa.binary()}
    assert not compiled.found(pa.schema(kinds).empty_table(), [rule])
