from __future__ import annotations

import pytest

from models.power_average import share


def average(weights: list[float]) -> float:
    """Average as a training does, step after step."""
    found = float("nan")
    for steps, weight in enumerate(weights, 1):
        found = weight if steps == 1 else found + share(steps) * (weight - found)
    return found


def test_the_first_step_is_all_of_the_average() -> None:
    assert share(1) == 1


@pytest.mark.parametrize("steps", [50, 1_000, 20_000])
def test_an_average_is_a_tenth_of_its_steps_old(steps: int) -> None:
    assert average([float(step) for step in range(1, steps + 1)]) == pytest.approx(0.9 * steps, abs=1)


def test_what_was_long_ago_is_forgotten() -> None:
    assert average([1e3] * 100 + [1.0] * 900) == pytest.approx(1, abs=1e-5)
    assert average([1.0] * 999 + [1e3]) == pytest.approx(1 + 999 * 9 / 1_000, rel=0.01)
