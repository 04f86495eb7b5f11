from __future__ import annotations

import polars as pl
import pytest

from data_contracts.recommender.state import merged

ROWS = pl.DataFrame(
    [
        {"user_id": "ada", "window": "2026-01-01", "items": [1, 2], "seen": [3, 1, 2]},
        {"user_id": "ada", "window": "2026-01-03", "items": [3, 4], "seen": [3, 4]},
        {"user_id": "bob", "window": "2026-01-02", "items": [5], "seen": [5]},
        {"user_id": "ada", "window": "2026-01-02", "items": [2, 1], "seen": [1]},
    ]
)


@pytest.mark.parametrize(
    ("max_seen", "seen"),
    [
        pytest.param(None, [2, 1, 3, 4], id="of a table that says no bound"),
        pytest.param(9, [2, 1, 3, 4], id="fewer than the bound"),
        pytest.param(3, [1, 3, 4], id="the latest"),
    ],
)
def test_the_newest_row_has_what_was_met_in_all_each_item_at_its_last_time(
    max_seen: int | None, seen: list[int]
) -> None:
    found = merged(ROWS.lazy(), max_seen).sort("user_id").collect()
    assert found.select("user_id", "window", "items", "seen").rows() == [
        ("ada", "2026-01-03", [3, 4], seen),
        ("bob", "2026-01-02", [5], [5]),
    ]
