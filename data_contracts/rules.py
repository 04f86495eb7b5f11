"""What several contracts say their rules with. Great Expectations cannot look into a list: it is shown its bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

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


def start_of(day: date) -> datetime:
    """Return the first instant of ``day``, UTC."""
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """Return the last instant of ``day``, UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)
