from __future__ import annotations

import math

import numpy as np
import pytest

from models.recommender.metrics import coverage, gains, head_items, means_of_users, rank_metrics


def test_the_first_place_is_worth_one_everywhere() -> None:
    assert {name: float(values[0]) for name, values in gains(np.array([0.0])).items()} == {
        "hr@5": 1, "hr@10": 1, "hr@20": 1, "ndcg@10": 1, "mrr": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rank", "hr5", "hr10", "ndcg10", "mrr"),
    [
        pytest.param(1.0, 1, 1, 1 / math.log2(3), 1 / 2, id="second"),
        pytest.param(4.5, 1, 1, 1 / math.log2(6.5), 1 / 5.5, id="between the fifth and the sixth"),
        pytest.param(5.0, 0, 1, 1 / math.log2(7), 1 / 6, id="sixth"),
        pytest.param(10.0, 0, 0, 0, 1 / 11, id="just off the list"),
        pytest.param(math.inf, 0, 0, 0, 0, id="a miss"),
        pytest.param(math.nan, math.nan, math.nan, math.nan, math.nan, id="diverged"),
    ],
)
def test_gains_follow_the_rank(rank: float, hr5: float, hr10: float, ndcg10: float, mrr: float) -> None:
    scored = gains(np.array([rank]))
    found = [float(scored[name][0]) for name in ("hr@5", "hr@10", "ndcg@10", "mrr")]
    assert found == pytest.approx([hr5, hr10, ndcg10, mrr], nan_ok=True)


def test_a_busy_user_counts_as_much_as_a_quiet_one() -> None:
    values, user = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 7])
    assert means_of_users(values, user).tolist() == [1.0, 0.0]


def test_no_targets_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no targets"):
        means_of_users(np.array([]), np.array([], int))


def test_one_diverged_target_spoils_the_mean() -> None:
    assert math.isnan(rank_metrics(np.array([0.0, math.nan]), np.array([0, 1]))["ndcg@10"])


def test_coverage_is_the_share_of_servable_items_only() -> None:
    recommended = np.array([True, True, False, False])
    assert coverage(recommended, np.array([False, True, True, True])) == pytest.approx(1 / 3)
    assert coverage(recommended, np.zeros(4, bool)) == 0


def test_the_head_is_the_fewest_items_that_make_up_the_share() -> None:
    assert head_items(np.array([10, 50, 30, 10, 0])).tolist() == [False, True, True, False, False]
    assert head_items(np.array([10, 50, 29, 11, 0])).tolist() == [False, True, True, True, False]
    assert not head_items(np.zeros(3, int)).any()
