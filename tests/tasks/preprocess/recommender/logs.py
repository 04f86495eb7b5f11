"""Made-up events, as frames and as a published table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.night import Validated, Window, Workspace
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table
from tasks.preprocess.recommender.items import number_items
from tests.placing import place_of

FIRST_DAY = date(2026, 1, 1)
START = datetime(2026, 1, 1, tzinfo=UTC)
NO_ITEMS = pl.DataFrame(schema={"item_id": pl.String, "item_index": pl.Int32})


class Event(NamedTuple):
    """One event."""

    second: int
    item_id: str
    event: str
    user_id: str

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among its user's events."""
        return self.second, place_of(self.user_id, self.item_id, self.event, START + timedelta(seconds=self.second))


def frame(events: Iterable[Event]) -> pl.DataFrame:
    """What the cutter gets."""
    rows = pl.DataFrame(
        list(events), schema=dict.fromkeys(Event._fields, pl.String) | {"second": pl.Int64}, orient="row"
    )
    timestamp = (pl.lit(START) + pl.duration(seconds="second")).cast(pl.Datetime("us", "UTC"))
    return rows.select("user_id", "item_id", "event", timestamp=timestamp)


def number(events: pl.DataFrame, items: pl.DataFrame = NO_ITEMS, window: str = "1") -> pl.DataFrame:
    """Number the items of one more window."""
    new = number_items(events.select("item_id", window=pl.lit(window)).unique(), items)
    return pl.concat([items.select("item_id", "item_index"), new.drop("first_window")])


def no_histories() -> pl.DataFrame:
    """Table `histories` before the first night."""
    return pl.DataFrame(STATE.schema.empty_table())


def workspace(folder: Path) -> Workspace:
    """A workspace of its own."""
    return Workspace(
        name="shop", use_case="recommender", home=str(folder), tracking_uri=f"sqlite:///{folder}/mlflow.db"
    )


def shop(days: Sequence[int], per_day: int = 300, seed: int = 0) -> pl.DataFrame:
    """Events of some days, counted from `FIRST_DAY`: each day is always the same, and brings new users and items."""
    return pl.concat([frame([]), *(_day(day, per_day, np.random.default_rng((seed, day))) for day in days)])


def _day(day: int, events: int, rng: np.random.Generator) -> pl.DataFrame:
    return frame(
        Event(86_400 * day + 600 * int(at), f"item-{item}", kind, f"user-{user}")
        for at, item, kind, user in zip(
            rng.integers(0, 144, events),
            rng.integers(0, 30 + 3 * day, events),
            rng.choice(["view", "buy"], events),
            rng.integers(0, 40 + day, events),
            strict=True,
        )
    )


def publish(home: Workspace, events: pl.DataFrame, days: Sequence[int]) -> Validated:
    """Commit ``events`` to table `events`, as validate does, with the window of ``days``."""
    table = Table(home.tables, EVENTS)
    rows = events.with_columns(value=pl.lit(None, pl.Float32), day=pl.col("timestamp").dt.date())
    window = Window(first_day=FIRST_DAY + timedelta(days[0]), last_day=FIRST_DAY + timedelta(days[-1]))
    parts = table.write(rows.to_arrow(), f"night-{table.next_version():06}-rows")
    version = table.version()
    marks = {
        "window": window.last_day.toordinal(),
        "published": 0 if version is None else version + 1,
        "accepted": events.height,
    }
    version = table.commit(parts, [f"file:{days[-1]}"], marks=marks)
    return Validated(truth=version, accepted=events.height, window=window)
