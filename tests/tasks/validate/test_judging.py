"""All rows of a night against their bounds: what is broken, and what is said of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import great_expectations as gx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data_contracts.contract import DataContract
from data_contracts.recommender.events import EVENTS
from tasks.validate.aggregates import NONE, Aggregates
from tasks.validate.judging import Judged, judge
from tasks.validate.mix import Mix
from tasks.validate.table_rules import TableRules

THINGS = DataContract(
    name="things",
    schema=pa.schema(
        [
            pa.field("town", pa.string()),
            pa.field("number", pa.float64()),
            pa.field("single", pa.float32()),
            pa.field("whole", pa.int64()),
            pa.field("flag", pa.bool_()),
            pa.field("payload", pa.binary()),
        ]
    ),
    written_by="validate",
    read_by=("nobody",),
)
USUAL = Mix.of(pl.Series(["a", "b"] * 500))


def rules(**asked: Any) -> TableRules:
    return TableRules.model_validate(asked)


def rows(**columns: Sequence[Any]) -> pa.Table:
    size = len(next(iter(columns.values())))
    return pa.table({each.name: pa.array(columns.get(each.name, [None] * size), each.type) for each in THINGS.schema})


def judged(
    table: pa.Table, asked: TableRules, before: Sequence[Mix] = (), allowed: Mapping[str, Sequence[str]] | None = None
) -> list[Judged]:
    nights = dict.fromkeys(asked.drift, before)
    return judge(Aggregates.of(table, asked), asked, THINGS, nights, allowed or {})


def verdict_of(seen: Judged) -> str:
    return ("stops" if seen.may_stop else "warns") if seen.broken else "kept"


@pytest.mark.parametrize(
    ("columns", "asked", "said", "verdict"),
    [
        pytest.param(
            {"town": ["a", "b", "a", None]},
            {"distinct": {"town": {"at_least": 2, "at_most": 2}}},
            "distinct values of 'town': 2, wanted at least 2 and at most 2",
            "kept",
            id="as many as wanted",
        ),
        pytest.param(
            {"town": ["a", "b", ""]},
            {"distinct": {"town": {"at_most": 2}}},
            "distinct values of 'town': 3, wanted at most 2",
            "stops",
            id="too many, empty text is one",
        ),
        pytest.param(
            {"town": [None, None]},
            {"distinct": {"town": {"at_least": 1}}},
            "distinct values of 'town': 0, wanted at least 1",
            "stops",
            id="nothing but nulls has no value",
        ),
        pytest.param(
            {"whole": [3, -(2**63), 3, 2**63 - 1]},
            {"distinct": {"whole": {"at_least": 3, "at_most": 3}}},
            "distinct values of 'whole': 3, wanted at least 3 and at most 3",
            "kept",
            id="the largest integers",
        ),
        pytest.param(
            {"number": [1, 2, 30]},
            {"quantiles": {"number": {"1": {"at_most": 20}, "0.5": {"at_least": 1.5}}}},
            "quantiles of 'number': 0.5 is 2, wanted at least 1.5; 1 is 30, wanted at most 20",
            "stops",
            id="one of two quantiles",
        ),
        pytest.param(
            {"number": [1.0, math.nan, None, math.inf]},
            {"quantiles": {"number": {"0": {"at_least": 1}, "1": {"at_most": 9}}}},
            "quantiles of 'number': 0 is 1, wanted at least 1; 1 is inf, wanted at most 9",
            "stops",
            id="NaN is no number, infinity is one",
        ),
        pytest.param(
            {"number": [math.nan, None]},
            {"quantiles": {"number": {"0.5": {"at_least": -1e9}}}},
            "quantiles of 'number': 0.5 is not there, wanted at least -1,000,000,000",
            "stops",
            id="no number at all, as Great Expectations has it",
        ),
        pytest.param(
            {"single": [0.1]},
            {"quantiles": {"single": {"0.5": {"at_least": 0.1, "at_most": 0.1}}}},
            "quantiles of 'single': 0.5 is 0.1, wanted at least 0.1 and at most 0.1",
            "kept",
            id="one row, of a column of fewer digits",
        ),
    ],
)
def test_a_bound_is_broken_or_kept(columns: Any, asked: Any, said: str, verdict: str) -> None:
    (seen,) = judged(rows(**columns), rules(**asked))
    assert (seen.said, verdict_of(seen)) == (said, verdict)


@pytest.mark.parametrize(
    ("towns", "nights", "said", "verdict"),
    [
        pytest.param(["b"] * 900, 2, "not judged, 2 of the nights before have its mix and 3", "kept", id="early"),
        pytest.param(["a", "b"] * 500, 7, ": 0.0 % of the rows are of other values", "kept", id="as before"),
        pytest.param(["b"] * 900, 3, ": 50.0 % of the rows are of other values than in 3", "warns", id="warned of"),
        pytest.param(["b"] * 900, 7, ": 50.0 % of the rows are of other values than in 7", "stops", id="stops"),
        pytest.param([None] * 900, 7, ": 100.0 % of the rows", "stops", id="nothing but nulls"),
        pytest.param(["c"], 7, ": 100.0 % of the rows", "kept", id="one row is what chance makes"),
        pytest.param([f"t{n}" for n in range(9_000)], 7, "of the rows", "stops", id="more values than are held"),
    ],
)
def test_drift_is_judged_beside_the_nights_before(
    towns: list[str | None], nights: int, said: str, verdict: str
) -> None:
    (seen,) = judged(rows(town=towns), rules(drift={"town": 0.2}), [USUAL] * nights)
    assert said in seen.said
    assert verdict_of(seen) == verdict


def test_values_are_named_only_where_the_settings_name_them() -> None:
    table, asked = rows(town=["a"] * 800 + ["secret"] * 200), rules(drift={"town": 0.2})
    (silent,) = judged(table, asked, [USUAL] * 7)
    (naming,) = judged(table, asked, [USUAL] * 7, {"town": ("a", "b", "c")})
    assert "secret" not in f"{silent} {naming}"
    assert "'a'" not in f"{silent}"
    assert naming.said.endswith("; 'b' 0.0 %, before 50.0 %; 'a' 80.0 %, before 50.0 %")


@given(towns=st.lists(st.sampled_from("abcde") | st.none(), min_size=1, max_size=80), data=st.data())
def test_any_parts_of_a_night_in_any_order_come_to_the_same_verdict(
    towns: list[str | None], data: st.DataObject
) -> None:
    numbers = data.draw(st.lists(st.none() | st.floats(-9, 9), min_size=len(towns), max_size=len(towns)))
    asked = rules(
        distinct={"town": {"at_least": 3}},
        quantiles={"number": {"0.5": {"at_least": 0}, "0.9": {"at_most": 5}}},
        drift={"town": 0.1},
    )
    table = rows(town=towns, number=numbers)
    bounds = sorted([0, len(towns), *data.draw(st.lists(st.integers(0, len(towns)), max_size=4))])
    pieces = [Aggregates.of(table.slice(a, b - a), asked) for a, b in pairwise(bounds)]
    merged = reduce(add, data.draw(st.permutations([*pieces, NONE])))
    assert judge(merged, asked, THINGS, {"town": [USUAL] * 7}, {}) == judged(table, asked, [USUAL] * 7)


@given(seed=st.integers(0, 2**32 - 1), bound=st.floats(-3, 3))
def test_the_verdict_on_many_numbers_is_the_true_one_unless_it_is_within_the_error(seed: int, bound: float) -> None:
    numbers = np.random.default_rng(seed).normal(size=20_000)
    asked = rules(quantiles={"number": {"0.5": {"at_least": bound}}})
    parts = [Aggregates.of(rows(number=each), asked) for each in np.split(numbers, 4)]
    verdicts = {
        judge(reduce(add, order), asked, THINGS, {}, {})[0].broken
        for order in (parts, parts[::-1], parts[2:] + parts[:2])
    }
    rank = (numbers < bound).mean()
    if rank < 0.5:
        assert verdicts == {False}, "half of the numbers are above the bound"
    elif rank > 0.5 + 3 * 0.0028:
        assert verdicts == {True}


BOUNDS = st.sampled_from([{"at_least": 1}, {"at_most": 2}, {"at_least": -1, "at_most": 3}, {"at_least": 2.5}])


@settings(max_examples=8, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
@given(
    numbers=st.lists(st.none() | st.floats() | st.sampled_from([0.0, 1.0, 2.0, math.inf, math.nan]), min_size=1),
    bounds=st.fixed_dictionaries(dict.fromkeys(("0", "0.1", "0.5", "0.75", "0.99", "1"), BOUNDS)),
    many=st.sampled_from([{"at_least": 2}, {"at_most": 2}, {"at_least": 1, "at_most": 3}]),
)
def test_great_expectations_says_the_same(numbers: list[float | None], bounds: Any, many: Any) -> None:
    """Of the very rules that the page shows."""
    towns = [None if each is None or math.isnan(each) else f"{each}" for each in numbers]
    table = rows(number=numbers, town=towns)
    ours = judged(table, rules(distinct={"town": many}, quantiles={"number": bounds}))
    expectations = [getattr(gx.expectations, each.rule.expectation)(**each.rule.arguments) for each in ours]
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("all").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table.to_pandas()})
    results = batch.validate(gx.ExpectationSuite(name="all", expectations=expectations)).results
    theirs = {result.expectation_config.type: result for result in results}
    for each, expectation in zip(ours, expectations, strict=True):
        result = theirs[expectation.expectation_type]
        assert bool(result.success) == (not each.broken)
        seen = result.result["observed_value"]
        assert (seen if each.kind == "distinct" else {**seen, "values": _plain(seen["values"])}) == each.observed


def _plain(values: Sequence[float]) -> list[object]:
    return ["no number" if math.isnan(each) else each for each in values]


def test_about_many_values_the_verdict_waits_until_it_is_sure() -> None:
    table = rows(town=[f"t{n}" for n in range(20_000)])
    for wanted, broken in ((20_100, False), (22_000, True)):
        (seen,) = judged(table, rules(distinct={"town": {"at_least": wanted}}))
        assert seen.broken == broken
        assert re.search(r": about \S+ \(19,\d+ to 20,\d+\), wanted", seen.said)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        pytest.param(
            {"distinct": {"twon": {"at_least": 1}, "payload": {"at_least": 1}, "number": {"at_most": 3}}},
            "t.distinct names 'twon' (no column), 'payload' (binary), 'number' (double), and is of text and whole "
            "numbers: in 'things' town, whole",
            id="no column, payloads and fractions are not counted",
        ),
        pytest.param(
            {"quantiles": {"town": {"0.5": {"at_least": 1}}}},
            "t.quantiles names 'town' (string), and is of numbers: in 'things' number, single, whole",
            id="quantiles of text",
        ),
        pytest.param(
            {"drift": {"payload": 0.1}},
            "t.drift names 'payload' (binary), and is of text, whole numbers and booleans: in 'things' town, whole, "
            "flag",
            id="drift of payloads",
        ),
        pytest.param(
            {"quantiles": {"number": {}}}, "t.quantiles.number names no quantile: 0.5 is the median", id="none"
        ),
    ],
)
def test_what_cannot_be_asked_is_said(asked: Any, problem: str) -> None:
    assert list(rules(**asked).problems("t", THINGS)) == [problem]


def test_no_mix_of_people_is_remembered() -> None:
    (problem,) = rules(drift={"town": 0.1, "whole": 0.1}).problems("t", THINGS, subject="town")
    assert problem == "t.drift names 'town', and people may be forgotten: their mix is not remembered"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        pytest.param({"distinct": {"town": {}}}, "says no bound", id="no bound"),
        pytest.param({"distinct": {"town": {"at_least": 2, "at_most": 1}}}, "allow nothing", id="in disorder"),
        pytest.param({"quantiles": {"number": {"1": {"at_least": math.nan}}}}, "allow nothing", id="no number"),
        pytest.param({"distinct": {"town": {"at_least": 2.5}}}, "fractional part", id="half a value"),
        pytest.param({"quantiles": {"number": {"1.5": {"at_least": 1}}}}, "less than or equal to 1", id="no quantile"),
        pytest.param({"drift": {"town": 0}}, "greater than 0", id="nothing may drift"),
        pytest.param({"drift": {"town": 1}}, "less than 1", id="everything may drift"),
    ],
)
def test_a_bound_that_bounds_nothing_is_refused(asked: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        rules(**asked)


def test_settings_come_back_from_json_as_they_were() -> None:
    """A night's settings are a parameter of its flow, which is JSON."""
    asked = rules(quantiles={"value": {0.5: {"at_least": 1}}}, drift={"event": 0.2})
    assert TableRules.model_validate_json(asked.model_dump_json()) == asked
    assert not list(asked.problems("t", EVENTS))
