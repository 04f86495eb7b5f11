"""Into which windows a night's new rows fall, where they are judged one by one: plain rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from data_contracts.night import HeldOut, Value, Window
from tasks.preprocess.errors import TooFewTargetsError


class Plan(Value):
    """How a night's new rows are spread over windows; decided once, when it begins.

    Attributes:
        window: The newest window, which judges.
        first: Whether it is the first night, which cuts a past off.
    """

    window: Window
    first: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of this night's windows, oldest first."""
        return tuple(dict.fromkeys([self.of(self.window.first_day - timedelta(days=1)), self.window.key]))

    def of(self, day: date) -> str:
        """Return the key of the window that takes the rows of a day; what came late is the newest window's."""
        if self.first and day < self.window.first_day:
            return (self.window.first_day - timedelta(days=1)).isoformat()
        return self.window.key


class OfDay(NamedTuple):
    """What there is of a day.

    Attributes:
        units: That are judged one by one.
        targets: In them.
    """

    units: int
    targets: int


def hold_out_end(days: Mapping[date, OfDay], window: Window, held_out: HeldOut, rows: str) -> Window:
    """Hold out whole days, counted back from the end of the first window until they are enough to judge.

    Args:
        days: Those with anything.
        window: All days of the first night.
        held_out: What is enough.
        rows: What people call the units.

    Raises:
        TooFewTargetsError: No cut leaves enough in the end and anything in the past.
    """
    units, targets = (sum(each) for each in zip(OfDay(0, 0), *days.values(), strict=True))
    held = OfDay(0, 0)
    for day in sorted(days, reverse=True):
        held = OfDay(held.units + days[day].units, held.targets + days[day].targets)
        is_enough = held.units >= held_out.min_units and held.targets >= held_out.min_targets
        if is_enough and held.units < units:
            return Window(first_day=day, last_day=window.last_day)
    raise TooFewTargetsError(
        f"The first night cuts its {rows} into a past and an end that judges; these are too few for that. Seen "
        f"{window}: {units:,} {rows} with {targets:,} targets on {len(days):,} days. Wanted at the end whole days with "
        f"{held_out.min_units:,} {rows} and {held_out.min_targets:,} targets, and some in the days before. No features "
        "were published. Bring more days, or lower held_out.min_targets and held_out.min_units."
    )
