from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import great_expectations as gx
import numpy as np
import pyarrow as pa
import pytest
from great_expectations.core import ExpectationSuite
from great_expectations.expectations import (
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeInSet,
    ExpectColumnValuesToNotBeNull,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from data_contracts.check import check
from data_contracts.contract import ContractError
from data_contracts.counts import EXAMPLES, RuleCounts
from data_contracts.expectations import page
from data_contracts.rules import Rule, between, not_null, one_of

RULES = (
    not_null("name", "name missing"),
    one_of("name", ["a", "b"], "unknown name"),
    between("number", 0, 5, "number out of bounds"),
)
EXPECTATIONS = (
    ExpectColumnValuesToNotBeNull(column="name", meta={"rule": "name missing"}),
    ExpectColumnValuesToBeInSet(column="name", value_set=["a", "b"], meta={"rule": "unknown name"}),
    ExpectColumnValuesToBeBetween(column="number", min_value=0, max_value=5, meta={"rule": "number out of bounds"}),
)
"""The same, as Great Expectations has them."""


def _table(rows: Sequence[tuple[str | None, int | None]]) -> pa.Table:
    return pa.table(
        {
            "name": pa.array([row[0] for row in rows], pa.string()),
            "number": pa.array([row[1] for row in rows], pa.int64()),
        }
    )


def _one_run(rows: pa.Table) -> dict[str, dict[str, Any]]:
    """Great Expectations over the whole table, without us."""
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("all").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows.to_pandas()})
    answer = batch.validate(ExpectationSuite(name="all", expectations=list(EXPECTATIONS)), result_format="SUMMARY")
    results: dict[str, dict[str, Any]] = {}
    for result in answer.results:
        assert result.expectation_config is not None
        results[result.expectation_config.meta["rule"]] = {"success": result.success, **result.result}
    return results


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.one_of(st.none(), st.integers(-2, 8))),
    min_size=1,
    max_size=90,
)


@settings(max_examples=8, deadline=None, phases=(Phase.generate,))  # shrinking would run it a hundred times
@given(rows=ROWS, data=st.data())
def test_chunks_added_up_say_what_one_run_over_all_rows_says(
    rows: list[tuple[str | None, int | None]], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(1, len(rows)), max_size=2))
    bounds = sorted({0, len(rows), *cuts})
    table = _table(rows)
    chunks = [check(table.slice(a, b - a), RULES) for a, b in pairwise(bounds)]
    merged = [reduce(add, counts) for counts in zip(*(chunk.counts for chunk in chunks), strict=True)]
    wanted = _one_run(table)
    for counts in merged:
        seen = {"success": counts.unexpected == 0, **counts.result()}
        assert seen == {name: wanted[counts.rule][name] for name in seen}


def test_each_row_is_marked_with_the_first_rule_that_it_breaks() -> None:
    checked = check(_table([("a", 1), (None, 9), ("c", 9), ("a", 9), ("b", None)]), RULES)
    assert checked.first_broken.tolist() == [-1, 0, 1, 2, -1]
    assert [counts.unexpected for counts in checked.counts] == [1, 1, 3]


def test_chunks_are_checked_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    check(_table([("a", 1)]), RULES)
    assert not caplog.messages


def test_only_the_first_examples_are_kept() -> None:
    checked = check(_table([("a", 100 + n) for n in range(50)]), RULES)
    assert checked.counts[2].examples == tuple(range(100, 100 + EXAMPLES))


def test_a_rule_that_cannot_be_computed_stops_everything() -> None:
    with pytest.raises(
        ContractError, match=r"2 of 3 rules could not be computed on 1 rows:\n  - 'name missing': .*name"
    ):
        check(pa.table({"number": [1]}), RULES)


def test_two_rules_of_one_name_are_refused() -> None:
    twice = [not_null(name, "missing") for name in ("name", "number")]
    with pytest.raises(ContractError, match="2 rules have 1 names"):
        check(_table([("a", 1)]), twice)


def test_counts_of_different_rules_are_not_added() -> None:
    one, other = (RuleCounts(rule=name, elements=1, missing=0, unexpected=0, examples=()) for name in "ab")
    with pytest.raises(ValueError, match="'a' and of 'b'"):
        one + other


def test_no_rows_break_nothing() -> None:
    checked = check(_table([]), RULES)
    assert [counts.unexpected for counts in checked.counts] == [0] * 3
    assert checked.first_broken.dtype == np.int32
    assert checked.counts[1].result()["unexpected_percent"] is None


def test_the_page_says_what_was_found_and_marks_it_without_the_internet() -> None:
    checked = check(_table([("a", 1), ("<b>", 9)]), RULES)
    html = page("things 2026-11-22", RULES, checked.counts, failed={RULES[2].name})
    text = re.sub(r"<[^>]+>|\s+", " ", html)
    assert "things 2026-11-22" in text
    assert re.search(r"1 +unexpected values found. +50% +of +2 +total rows", text)
    assert ".fa-times::before" in html
    assert "&lt;b&gt;" in html, "values of raw logs are no markup"
    assert "<b>" not in html


OTHERS = (
    Rule("name too long", "ExpectColumnValueLengthsToBeBetween", {"column": "name", "max_value": 2}),
    Rule("name not in small letters", "ExpectColumnValuesToMatchRegex", {"column": "name", "regex": "^[a-z]*$"}),
)


def test_any_other_rule_of_great_expectations_is_computed_by_it_beside_those_that_are_compiled() -> None:
    rows = _table([("a", 1), ("abc", 9), ("A", 9), (None, 1), ("ABC", 1)])
    checked = check(rows, [OTHERS[0], RULES[2], OTHERS[1]])
    assert checked.first_broken.tolist() == [-1, 0, 1, -1, 0]
    assert [counts.rule for counts in checked.counts] == [OTHERS[0].name, RULES[2].name, OTHERS[1].name]
    assert [counts.examples for counts in checked.counts] == [("abc", "ABC"), (9, 9), ("A", "ABC")]
    assert [counts.missing for counts in checked.counts] == [1, 0, 1]


def test_a_rule_that_great_expectations_does_not_have_is_named() -> None:
    with pytest.raises(ContractError, match="'odd' is a 'ExpectNothing', which Great Expectations does not have"):
        check(_table([("a", 1)]), [Rule("odd", "ExpectNothing", {"column": "name"})])


OF_THE_HOUSE = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

import data_contracts
from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.staging import staging
from data_contracts.use_cases import promises


def value(kind):
    if pa.types.is_list(kind):
        return [value(kind.value_type)]
    return datetime(2026, 11, 22, tzinfo=UTC) if pa.types.is_temporal(kind) else pa.scalar("1").cast(kind).as_py()


day, checked = date(2026, 11, 22), 0
for file in sorted(Path(data_contracts.__file__).parent.glob("*/promises.py")):
    promised = promises(file.parent.name)
    for contract in [*promised.contracts.values(), *(staging(each.kept) for each in promised.incoming.values())]:
        rules = contract.row_rules(Limits(day, day, day, labels_come=True))
        row = pa.Table.from_pylist([{each.name: value(each.type) for each in contract.schema}], contract.schema)
        checked += len(check(contract.checked(row), rules).counts)
print(checked, "great_expectations" in sys.modules)
"""


def test_no_contract_of_the_house_needs_great_expectations_to_be_checked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OF_THE_HOUSE], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    rules, imported = done.stdout.split()
    assert int(rules) > 100
    assert imported == "False"
