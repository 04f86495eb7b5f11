from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.results import Row, record


def test_a_section_is_replaced_and_its_neighbours_stay(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    for name, text in (("one", "first\n"), ("two", "second\n"), ("one", r"\1 again" + "\n")):
        record(name, text, file)
    written = file.read_text(encoding="utf-8")
    assert written.endswith("<!-- one -->\n\\1 again\n<!-- /one -->\n\n<!-- two -->\nsecond\n<!-- /two -->\n")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        pytest.param(Row("a", [1234.5], "rows/s"), ("a", "1,234 rows/s", "", ""), id="one round"),
        pytest.param(
            Row("b", [0.03, 0.01, 0.02], "%", "<= 5%", met=True),
            ("b", "2.0 % (1.0 to 3.0)", "<= 5%", "met"),
            id="several rounds",
        ),
        pytest.param(
            Row("c", [1.5], "x", ">= 1.7 x", met=False), ("c", "1.50 x", ">= 1.7 x", "**missed**"), id="missed"
        ),
    ],
)
def test_a_row_shows_the_middle_of_its_rounds(row: Row, cells: tuple[str, ...]) -> None:
    assert row.cells() == cells
