from __future__ import annotations

import math

import numpy as np
import pytest

from data_contracts.evidence import Metrics
from models.bootstrap import compare, intervals, means

BY = Metrics(primary="quality", shown=("quality",), drawn=(), baselines=("guess",), rivals=("trees",))
LESS = BY.model_copy(update={"lower_is_better": ("quality",)})


def test_the_interval_of_a_mean_is_that_of_the_central_limit_theorem() -> None:
    generator = np.random.default_rng(7)
    guess = generator.normal(0.3, 1, 4_000)
    candidate = guess + generator.normal(0.05, 0.4, 4_000)
    chosen, ahead = compare(BY, means({"candidate": candidate, "guess": guess}), 4_000)
    error = 1.645 * (candidate - guess).std() / math.sqrt(4_000)
    middle = (candidate - guess).mean()
    assert chosen == "candidate"
    assert ahead["guess"].low == pytest.approx(middle - error, abs=error / 8)
    assert ahead["guess"].high == pytest.approx(middle + error, abs=error / 8)


def test_a_true_difference_lies_inside_nine_times_in_ten() -> None:
    inside = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        guess = generator.exponential(1, 200)
        candidate = guess + generator.exponential(0.1, 200)
        ahead = compare(BY, means({"candidate": candidate, "guess": guess}), 200)[1]["guess"]
        inside += ahead.low <= 0.1 <= ahead.high
    assert 165 <= inside <= 195


def test_units_are_drawn_alike_for_all_so_that_equal_contestants_differ_by_nothing() -> None:
    of_units = np.random.default_rng(0).normal(size=50)
    _, ahead = compare(BY, means({"candidate": of_units, "champion": of_units.copy(), "guess": of_units - 1}), 50)
    assert (ahead["champion"].low, ahead["champion"].high) == (0, 0)
    assert ahead["guess"].low == pytest.approx(1)
    assert ahead["guess"].high == pytest.approx(1)


def test_where_less_is_better_whoever_has_less_is_ahead() -> None:
    of_units = {"candidate": np.full(9, 1.0), "guess": np.full(9, 3.0), "trees": np.full(9, 0.5)}
    chosen, ahead = compare(LESS, means(of_units), 9)
    assert chosen == "trees"
    assert {name: interval.low for name, interval in ahead.items()} == {"candidate": 0.5, "guess": 2.5}


@pytest.mark.parametrize(
    ("candidate", "trees", "chosen"),
    [
        pytest.param(0.4, 0.4, "candidate", id="equal: the candidate"),
        pytest.param(0.4, 0.5, "trees", id="a better rival"),
        pytest.param(0.4, math.nan, "candidate", id="a rival that diverged"),
        pytest.param(math.nan, 0.1, "trees", id="a candidate that diverged"),
        pytest.param(math.nan, math.nan, "candidate", id="both diverged"),
    ],
)
def test_a_rival_is_chosen_only_where_it_is_better(candidate: float, trees: float, chosen: str) -> None:
    of_units = {"candidate": np.full(5, candidate), "trees": np.full(5, trees), "guess": np.full(5, 0.9)}
    found, ahead = compare(BY, means(of_units), 5)
    assert found == chosen
    assert ahead.keys() == of_units.keys() - {chosen}


def test_where_nothing_was_judged_nobody_is_ahead() -> None:
    assert compare(BY, means({"candidate": np.empty(0), "guess": np.empty(0)}), 0) == ("candidate", {})


def test_a_metric_lies_where_the_central_limit_theorem_says() -> None:
    of_units = np.random.default_rng(5).normal(0.3, 1, 4_000)
    found = intervals(lambda weight_U: {"quality": float(of_units @ weight_U / weight_U.sum())}, 4_000)["quality"]
    error = 1.645 * of_units.std() / math.sqrt(4_000)
    assert found.low == pytest.approx(of_units.mean() - error, abs=error / 8)
    assert found.high == pytest.approx(of_units.mean() + error, abs=error / 8)


def test_what_cannot_be_said_of_a_draw_is_left_out_of_an_interval() -> None:
    found = intervals(
        lambda weight_U: {"first": float(1 / weight_U[0]) if weight_U[0] else math.nan, "no": math.nan}, 2
    )
    assert found.keys() == {"first"}
    assert (found["first"].low, found["first"].high) == (0.5, 1.0)
    assert intervals(lambda _: {"first": 1.0}, 0) == {}


def test_draws_of_one_kind_alone_do_not_hide_who_is_ahead() -> None:
    def values(weight_U: np.ndarray) -> dict[str, float]:
        rare = math.nan if weight_U[0] == 0 else 1.0
        return {"candidate": rare, "guess": 0.5 * rare, "champion": math.nan}

    _, ahead = compare(BY, values, 3)
    assert (ahead["guess"].low, ahead["guess"].high) == (0.5, 0.5)
    assert math.isnan(ahead["champion"].low)
