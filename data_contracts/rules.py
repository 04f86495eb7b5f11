"""What several contracts say their rules with. Great Expectations cannot look into a list: it is shown its bounds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from data_contracts.contract import LATE, Limits
from data_contracts.days import end_of, start_of

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def between(column: str, low: float | datetime | None, high: float | datetime | None, rule: str) -> Expectation:
    """Return the rule that a column's values lie between two bounds, both allowed; null lies anywhere.

    Args:
        column: Name.
        low: Lowest value allowed; any when None.
        high: Highest value allowed; any when None.
        rule: What is broken when they do not, for people.
    """
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    return ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high, meta={"rule": rule})


def in_time(column: str, limits: Limits) -> list[Expectation]:
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
