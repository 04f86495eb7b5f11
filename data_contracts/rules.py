"""Rules, and what contracts say them with.

A rule says of each row whether it breaks it. It cannot look into a list: it is shown its bounds. A row without a value
breaks no rule but that it must have one; NaN is no value. The last three are rules about all rows of a night together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from data_contracts.contract import LATE, Limits
from data_contracts.days import end_of, start_of


@dataclass(frozen=True)
class Rule:
    """One rule over rows, in the words of Great Expectations; see `data_contracts.check` for who computes it.

    Attributes:
        name: What is broken when rows are not so, for people; of a contract's rules each has another one.
        expectation: Class of Great Expectations, such as ``ExpectColumnValueLengthsToBeBetween``.
        arguments: What it is made with, such as ``{"column": "town", "max_value": 80}``.
    """

    name: str
    expectation: str
    arguments: Mapping[str, object] = field(hash=False)


def not_null(column: str, rule: str) -> Rule:
    """Return the rule that each row has a value."""
    return Rule(rule, "ExpectColumnValuesToNotBeNull", {"column": column})


def null(column: str, rule: str) -> Rule:
    """Return the rule that no row has a value."""
    return Rule(rule, "ExpectColumnValuesToBeNull", {"column": column})


def one_of(column: str, values: Collection[str | int], rule: str) -> Rule:
    """Return the rule that each value is one of these."""
    return Rule(rule, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def none_of(column: str, values: Collection[str | int], rule: str) -> Rule:
    """Return the rule that no value is one of these."""
    return Rule(rule, "ExpectColumnValuesToNotBeInSet", {"column": column, "value_set": list(values)})


def unique(column: str, rule: str) -> Rule:
    """Return the rule that no value comes twice; all rows of one that does break it."""
    return Rule(rule, "ExpectColumnValuesToBeUnique", {"column": column})


def equal(column: str, other: str, rule: str) -> Rule:
    """Return the rule that two columns have the same value in each row; rows that have neither are so."""
    return Rule(rule, "ExpectColumnPairValuesToBeEqual", {"column_A": column, "column_B": other})


def between(column: str, low: float | datetime | None, high: float | datetime | None, rule: str) -> Rule:
    """Return the rule that a column's values lie between two bounds, both allowed; null lies anywhere.

    Args:
        column: Name.
        low: Lowest value allowed; any when None.
        high: Highest value allowed; any when None.
        rule: What is broken when they do not, for people.
    """
    return Rule(rule, "ExpectColumnValuesToBeBetween", {"column": column, "min_value": low, "max_value": high})


def in_time(column: str, limits: Limits) -> list[Rule]:
    """Return the three rules about when a row from outside happened: not too early, not in the future, not too late.

    Args:
        column: Name of the time column.
        limits: Say the days between which it may be.
    """
    first, latest, earliest = limits.first_day, limits.latest, limits.earliest
    return [
        between(column, start_of(first, limits.day_zone), None, f"{column} before first_day"),
        between(column, None, end_of(latest, limits.day_zone), f"{column} in the future"),
        between(column, start_of(earliest, limits.day_zone), None, LATE),
    ]


def distinct_between(column: str, low: float | None, high: float | None) -> Rule:
    """Return the rule about all rows together that a column has so many values, nulls left out."""
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule(f"distinct values of {column}", "ExpectColumnUniqueValueCountToBeBetween", arguments)


def quantiles_between(column: str, ranges: Mapping[float, tuple[float | None, float | None]]) -> Rule:
    """Return the rule about all rows together that quantiles of a column's numbers lie between two bounds each."""
    asked = {"quantiles": list(ranges), "value_ranges": [list(each) for each in ranges.values()]}
    arguments = {"column": column, "quantile_ranges": asked}
    return Rule(f"quantiles of {column}", "ExpectColumnQuantileValuesToBeBetween", arguments)


def mix_as_before(column: str, limit: float) -> Rule:
    """Return the rule about all rows together that no more than a share of them has other values than before.

    Great Expectations has no such distance; `data_contracts.expectations` gives it a name among its own.
    """
    arguments = {"column": column, "threshold": limit}
    return Rule(f"drift of {column}", "ExpectColumnTotalVariationToBeLessThan", arguments)
