from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.slices import FEW_VALUES, Flags, by_value, sliced


def test_each_part_is_judged_over_its_own_targets_and_an_empty_one_is_not() -> None:
    scores, unit = np.array([1.0, 0.0, 0.5]), np.array([0, 0, 1])

    def mean(chosen: Flags) -> dict[str, float]:
        return {"mean": float(scores[chosen].mean())}

    parts = {"first": np.array([True, True, False]), "late": np.array([False, True, True]), "none": np.zeros(3, bool)}
    found = sliced(parts, {"candidate": mean}, units=lambda chosen: len(set(unit[chosen])))
    assert {name: (part.units, part.metrics["candidate"]["mean"]) for name, part in found.items()} == {
        "first": (1, 0.5),
        "late": (2, 0.25),
    }
    assert sliced(parts, {})["late"].units == 2


def test_each_value_has_the_targets_that_say_it() -> None:
    column = pa.chunked_array([["north", "south"], [], ["south", None, "north"]], pa.string())
    assert {name: chosen.tolist() for name, chosen in by_value(column, "source").items()} == {
        "source_north": [True, False, False, False, True],
        "source_south": [False, True, True, False, False],
    }


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        pytest.param([None, None], 0, id="nobody says"),
        pytest.param(["north", None], 0, id="one alone"),
        pytest.param(list(map(str, range(FEW_VALUES))), FEW_VALUES, id="as many as may be"),
        pytest.param(list(map(str, range(FEW_VALUES + 1))), 0, id="too many"),
    ],
)
def test_one_value_is_everything_and_many_say_nothing(values: list[str | None], parts: int) -> None:
    assert len(by_value(pa.chunked_array([values], pa.string()), "source")) == parts
