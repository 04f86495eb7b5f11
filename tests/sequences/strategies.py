"""What logs may hold: odd ids, ties and repeats, and a few rows that are broken in every way there is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.sequences.logs import MALFORMED, Format, Line

USERS = ("u", "U", "ü", "u\u0308", " u", "7", "07", "null", "a,b", 'say "u"', "two\nlines", "\u202eu", "🙂", "\uffff")
ITEMS = (
    "i",
    "I",
    "i\u200b",
    "i\u2028",
    "\\n",
    "NaN",
    "true",
    "é",
    "e\u0301",
    "\U0001f600",
    "\uffff",
    "i;i",
    "{}",
    "\x1f",
)
EVENTS = ("view", "buy", "Kauf ü")
VALUES = (None, 0.0, 1.5, -2.25)

TOO_LONG = "x" * 300
FAULTS: dict[str, dict[str, Any]] = {
    "": {},
    "user_id missing": {"user_id": None},
    "item_id missing": {"item_id": None},
    "timestamp missing": {"timestamp": None},
    "user_id too long": {"user_id": TOO_LONG},
    "item_id too long": {"item_id": TOO_LONG},
    "value not finite": {"value": math.nan},
    "timestamp before first_day": {"timestamp": datetime(1994, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
}
TEXT_FAULTS: dict[str, dict[str, Any]] = {
    "timestamp unparseable": {"timestamp": None, "problem": "timestamp unparseable", "text": "soon"},
    "value unparseable": {"value": None, "problem": "value unparseable", "text": "dear"},
}
NO_ROW = "no row"


class Spec(NamedTuple):
    """One row to be, some days from the day of its file."""

    user: str
    item: str
    event: str
    minute: int
    days: int
    value: float | None
    fault: str


def lines(specs: Iterable[Spec], day: date, kind: Format, crowd: int) -> tuple[Line, ...]:
    """Return rows of ``day`` by ``crowd`` users. Parquet's are typed: what only text can get wrong is right there."""
    users = {user: USERS[number % crowd] for number, user in enumerate(USERS)}
    return tuple(_line(spec._replace(user=users[spec.user]), day, kind) for spec in specs)


def _line(spec: Spec, day: date, kind: Format) -> Line:
    if spec.fault == NO_ROW and kind != "parquet":
        problem = "not JSON" if kind == "jsonl" else "wrong number of columns"
        return Line(None, None, "view", None, None, problem, MALFORMED[problem])
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=spec.days, minutes=spec.minute)
    faults = FAULTS if kind == "parquet" else FAULTS | TEXT_FAULTS
    return Line(spec.user, spec.item, spec.event, moment, spec.value)._replace(**faults.get(spec.fault, {}))


GOOD = st.builds(
    Spec,
    user=st.sampled_from(USERS),
    item=st.sampled_from(ITEMS),
    event=st.sampled_from(EVENTS),
    minute=st.integers(0, 5),
    days=st.just(0),
    value=st.sampled_from(VALUES),
    fault=st.just(""),
)
OF_OTHER_DAYS = st.builds(Spec._replace, GOOD, days=st.integers(-3, 1))
BROKEN = st.builds(Spec._replace, GOOD, fault=st.sampled_from([*FAULTS, *TEXT_FAULTS, NO_ROW]))


def specs(*, good: int, other: int) -> st.SearchStrategy[list[Spec]]:
    """Rows of one file: at least ``good`` good ones, at most ``other`` of other days or broken."""
    return st.builds(
        lambda some, others: [*some, *others],
        st.lists(GOOD, min_size=good, max_size=good + 6),
        st.lists(st.one_of(OF_OTHER_DAYS, BROKEN), max_size=other),
    )
