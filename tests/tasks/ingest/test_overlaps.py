from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.ingest.overlaps import overlaps

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param([(0, 5, "a"), (5, 5, "b")], [], id="one after the other"),
        pytest.param([(0, 100, "a"), (10, 1, "b"), (50, 1, "c")], [("a", "b"), ("a", "c")], id="both in the long one"),
        pytest.param([(3, 2, "b"), (0, 4, "a")], [("a", "b")], id="in whatever order they come"),
        pytest.param([(0, 100, "a"), (10, 0, "b")], [], id="one without rows"),
        pytest.param([(0, 2, "a"), (0, 2, "b")], [("a", "b")], id="written at once"),
    ],
)
def test_a_file_that_begins_inside_another_is_found(
    files: list[tuple[int, int, str]], found: list[tuple[str, str]]
) -> None:
    spans = [(NOON + timedelta(microseconds=begins), rows, name) for begins, rows, name in files]
    assert overlaps(spans) == found
