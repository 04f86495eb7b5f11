from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from benchmarks.counted import Log, Scores, judge
from benchmarks.recent import Nights
from benchmarks.reference import leave_one_out

START = datetime(2026, 1, 1, tzinfo=UTC)


def log(users: dict[str, Sequence[tuple[str, int]]]) -> Log:
    """A log of items and hours, by user."""
    rows = [
        {"user_id": user, "item_id": item, "event": "view", "timestamp": START + timedelta(hours=hour)}
        for user, events in users.items()
        for item, hour in events
    ]
    return Log.of(pl.DataFrame(rows).cast({"timestamp": pl.Datetime("us", "UTC")}))


def test_leave_one_out_is_as_by_hand() -> None:
    events = {"ann": "abcd", "bob": "bcda", "cat": "bcxa"}
    found = leave_one_out(
        log({user: [(item, at) for at, item in enumerate(items)] for user, items in events.items()}), None
    )
    # Counted are ab, bc, bc: b 3, c 2, a 1; d and x were not met. Last items: d after c, a after d, a after x.
    # For ann d has x beside it, 0.5 before; for bob and cat a is the first of what is left.
    assert found["popularity"] == pytest.approx((1, np.mean([1 / np.log2(2.5), 1, 1])))
    assert found["markov"] == pytest.approx(found["popularity"])


def test_events_that_share_their_users_moment_are_counted_and_an_event_of_a_moment_has_one_place() -> None:
    shared = log({"ann": [("a", 0), ("b", 0), ("c", 1)], "bob": [("a", 0)]})
    assert shared.shared == 0.5
    assert shared.previous()[[0, 3]].tolist() == [-1, -1]


def test_only_what_is_recent_counts_and_a_repeat_is_no_target() -> None:
    logs = log(
        {"ann": [("a", 0), ("a", 1), ("c", 24 * 9)], "bob": [("b", 24 * 8), ("a", 24 * 9 + 1), ("b", 24 * 9 + 2)]}
    )
    window = logs.time >= _hours(24 * 9)
    known = ~window
    recent = Scores.count(logs, (known & (logs.time >= _hours(24 * 8))).astype(float), known)
    ever = Scores.count(logs, known.astype(float), known)
    # c is unknown, a miss; b again is a repeat. bob's a: b he has seen, so a is first whatever counts.
    assert judge(logs, recent, window, known)["popularity"] == (0.5, 0.5)
    assert recent.popularity_N.argmax() == 1
    assert ever.popularity_N.argmax() == 0


def test_windows_with_too_few_targets_are_left_out() -> None:
    assert list(Nights(log({"ann": [("a", 0), ("b", 30)]}), days=1, count=2)) == []


def _hours(hours: int) -> int:
    return int((START + timedelta(hours=hours)).timestamp()) * 10**6
