"""What rules find in rows: which of these break them, how many, and the first of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.rules import Rule

EXAMPLES = 20
"""Unexpected values kept of each rule, the first ones."""


@dataclass(frozen=True)
class RuleCounts:
    """What one rule says about some rows. Where it is about single rows, counts of more rows are added with ``+``.

    Attributes:
        rule: Its name, for people.
        elements: Rows looked at.
        missing: Rows without a value; None for rules about missing values.
        unexpected: Rows that break it.
        examples: The first `EXAMPLES` unexpected values.
    """

    rule: str
    elements: int
    missing: int | None
    unexpected: int
    examples: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        """Return the counts over both sets of rows."""
        if self.rule != other.rule:
            raise ValueError(f"counts of {self.rule!r} and of {other.rule!r} are no counts of one rule.")
        return type(self)(
            rule=self.rule,
            elements=self.elements + other.elements,
            missing=None if self.missing is None or other.missing is None else self.missing + other.missing,
            unexpected=self.unexpected + other.unexpected,
            examples=(self.examples + other.examples)[:EXAMPLES],
        )

    def result(self) -> dict[str, Any]:
        """Return what Great Expectations calls the result, percents computed from the counts."""
        result: dict[str, Any] = {"element_count": self.elements, "unexpected_count": self.unexpected}
        total = percent(self.unexpected, self.elements)
        result["unexpected_percent"] = total
        result["partial_unexpected_list"] = list(self.examples)
        if self.missing is not None:
            among_given = percent(self.unexpected, self.elements - self.missing)
            result["unexpected_percent"] = among_given
            result["missing_count"] = self.missing
            result["missing_percent"] = percent(self.missing, self.elements)
            result["unexpected_percent_total"] = total
            result["unexpected_percent_nonmissing"] = among_given
        return result


class Found(NamedTuple):
    """What one rule finds in one chunk.

    Attributes:
        counts: Of its rows.
        broken: Numbers of the rows that break it, from 0, ascending.
    """

    counts: RuleCounts
    broken: NDArray[np.integer[Any]]


class Observed(NamedTuple):
    """What a rule about all rows together says of them.

    Attributes:
        rule: The rule.
        seen: What Great Expectations calls the observed value: a number, or what its rule has in its place.
        met: Whether that is as wanted.
    """

    rule: Rule
    seen: object
    met: bool


def percent(count: int, total: int) -> float | None:
    """Return how many of a hundred they are; None of nothing."""
    return count / total * 100 if total else None


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value of pandas, or a pair of them, as JSON knows it."""
    import pandas as pd

    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
