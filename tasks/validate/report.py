"""What became of some staged rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from operator import add
from typing import Self

from data_contracts.counts import RuleCounts
from data_contracts.table import Part
from tasks.validate.aggregates import NONE, Aggregates


@dataclass(frozen=True)
class Report:
    """What became of some rows. Reports of rows that follow are added with ``+``.

    Attributes:
        counts: Of each rule, over all rows looked at.
        broken: Rule to the number of new rows that broke it first, late ones left out.
        late: New rows that only came too late.
        examples: Rule to the first of these rows, for people.
        accepted: Parts of the truth, each of one day.
        quarantined: Parts of table `quarantine`.
        begun: Rows that this very night put into `quarantine`, before it died.
        dropped: Rows that came too late and are kept nowhere.
        repeats: Rows that came more than once, or are in a table from nights before: their file came again.
        known: Those of them that are in the table of sound rows.
        aggregates: What is kept of the rows accepted, to judge them together.
        forgotten: Rows about people who are forgotten; kept nowhere.
    """

    counts: tuple[RuleCounts, ...] = ()
    broken: Counter[str] = field(default_factory=Counter)
    late: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    accepted: tuple[Part, ...] = ()
    quarantined: tuple[Part, ...] = ()
    begun: int = 0
    dropped: int = 0
    repeats: int = 0
    known: int = 0
    aggregates: Aggregates = NONE
    forgotten: int = 0

    @property
    def days(self) -> Counter[date]:
        """Rows accepted, by day."""
        days = Counter[date]()
        for part in self.accepted:
            days[date.fromisoformat(str(part.partition["day"]))] += part.rows
        return days

    def __add__(self, other: Self) -> Self:
        """Return the report on both sets of rows."""
        counts = tuple(map(add, self.counts, other.counts)) if self.counts and other.counts else None
        return type(self)(
            counts=self.counts or other.counts if counts is None else counts,
            broken=self.broken + other.broken,
            late=self.late + other.late,
            examples={**other.examples, **self.examples},
            accepted=self.accepted + other.accepted,
            quarantined=self.quarantined + other.quarantined,
            begun=self.begun + other.begun,
            dropped=self.dropped + other.dropped,
            repeats=self.repeats + other.repeats,
            known=self.known + other.known,
            aggregates=self.aggregates + other.aggregates,
            forgotten=self.forgotten + other.forgotten,
        )


NOTHING = Report()
"""What is said of files without any rows."""
