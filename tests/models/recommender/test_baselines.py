from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from data_contracts.job import EvaluateJob, TablesAt, Validation
from models.recommender.baselines import Markov, Popularity, popularity, transitions
from models.recommender.config import RecommenderConfig
from models.recommender.counts import item_counts
from tests.models.recommender.tables import Events, write_tables

WINDOWS: dict[str, dict[str, Events]] = {
    "2026-11-01": {"ann": [1, 2, 1, 2, 3, 1, 2], "bob": [3]},
    "2026-11-02": {"ann": [(3, "cart")], "bob": [(1, "cart"), 2]},
    "2026-11-03": {"ann": [1, 1, 1], "bob": [4]},
}


ALL_KINDS = RecommenderConfig()


def job(tables: TablesAt, *, every_user: bool = False, first_day: date | None = None) -> EvaluateJob:
    return EvaluateJob(
        use_case="recommender",
        tables=tables,
        window="2026-11-03",
        first_day=first_day,
        known_windows=("2026-11-01", "2026-11-02"),
        validation=Validation(window="2026-11-02", whole=every_user),
        contestants={},
        config={},
        features={},
        work_folder="",
    )


def popular(judged: EvaluateJob, config: RecommenderConfig = ALL_KINDS) -> Popularity:
    return popularity(judged, config, item_counts(judged.tables, judged.known_windows))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    return write_tables(tmp_path_factory.mktemp("tables"), WINDOWS)


def test_events_of_the_judging_window_are_not_counted(tables: TablesAt) -> None:
    nobody = job(tables).model_copy(update={"validation": Validation(window="none")})
    assert popular(nobody).counts.tolist() == [0, 3 + 1, 3 + 1, 2 + 1]


def test_validation_targets_are_taken_out_of_popularity_and_first_events_stay(tables: TablesAt) -> None:
    judged = job(tables, every_user=True)
    assert popular(judged).counts.tolist() == [0, 3, 3, 2]


def test_only_one_user_in_twenty_validates(tmp_path: Path) -> None:
    users: dict[str, Events] = {f"user-{number}": [1, 1] for number in range(2_000)}
    judged = job(write_tables(tmp_path, {"2026-11-02": users}))
    kept = popular(judged).counts[1]
    assert 4_000 - kept == pytest.approx(100, abs=30)
    assert transitions(judged, ALL_KINDS)["count"].to_list() == [kept - 2_000]


def test_each_pair_whose_second_is_a_training_target_counts_once_across_pieces_and_windows(tables: TablesAt) -> None:
    assert transitions(job(tables), ALL_KINDS).rows() == [(1, 2, 4), (2, 1, 1), (2, 3, 2), (3, 1, 2)]


def test_pairs_that_end_in_another_kind_are_not_learned(tables: TablesAt) -> None:
    assert transitions(job(tables), RecommenderConfig(target_events=("cart",))).rows() == [(2, 3, 1), (3, 1, 1)]


def test_validation_pairs_are_not_counted(tables: TablesAt) -> None:
    assert transitions(job(tables, every_user=True), ALL_KINDS).rows() == [(1, 2, 3), (2, 1, 1), (2, 3, 1), (3, 1, 1)]


def test_markov_ranks_by_transitions_then_by_popularity(tables: TablesAt) -> None:
    judged = job(tables)
    markov = Markov(transitions(judged, ALL_KINDS), popular(judged))
    followed = markov.followed(np.array([2, 0]))
    assert followed.pairs.target_E.tolist() == [0, 0], "padding was followed by nothing"
    assert dict(zip(followed.pairs.row_E.tolist(), followed.score_E.tolist(), strict=True)) == {
        1: pytest.approx(1 + 4 / 5),
        3: pytest.approx(2 + 3 / 5),
    }
    assert markov.listed[1] == markov.listed[2] > markov.listed[3] > markov.listed[0]


WINDOW = date(2026, 11, 3)
ONE_DAY, TWO_DAYS = (RecommenderConfig(recent_days=days) for days in (1, 2))


def test_popularity_counts_the_days_right_before_the_window_and_others_come_behind(tables: TablesAt) -> None:
    judged = job(tables, first_day=WINDOW)
    ever = np.array([0, 4, 4, 3]) / 5
    assert popular(judged, ONE_DAY).counts.tolist() == (np.array([0, 1, 1, 1]) + ever).tolist()
    assert popular(judged, TWO_DAYS).counts.tolist() == (np.array([0, 4, 4, 3]) + ever).tolist()
    validated = job(tables, first_day=WINDOW, every_user=True)
    assert popular(validated, ONE_DAY).counts.tolist() == ever.tolist()


def test_markov_counts_pairs_whose_second_is_recent_and_falls_back_on_what_is_popular_lately(tables: TablesAt) -> None:
    judged = job(tables, first_day=WINDOW)
    assert transitions(judged, ONE_DAY).rows() == [(1, 2, 1), (2, 3, 1), (3, 1, 1)]
    assert transitions(judged, TWO_DAYS).equals(transitions(job(tables), ALL_KINDS))


def test_a_first_window_that_holds_all_of_history_is_counted_by_its_days(tmp_path: Path) -> None:
    old, new = date(2026, 6, 1), date(2026, 10, 31)
    past: dict[str, Events] = {"ann": [(1, "view", old), (2, "view", old), (3, "view", new), (4, "view", new)]}
    tables = write_tables(tmp_path, {"2026-11-02": past, "2026-11-03": {"ann": [1]}})
    judged = job(tables, first_day=WINDOW)
    assert transitions(judged, ALL_KINDS).rows() == [(2, 3, 1), (3, 4, 1)]
    assert popular(judged).counts.tolist() == [0, 0.5, 0.5, 1.5, 1.5]


def test_targets_that_came_late_with_the_judging_window_are_not_counted(tmp_path: Path) -> None:
    late = [(1, "view", date(2026, 11, 2))]
    judging: dict[str, Events] = {"ann": [*late, 2], "bob": [*late, *late, 2]}
    tables = write_tables(tmp_path, {"2026-11-02": {"ann": [1, 2], "bob": [2]}, "2026-11-03": judging})
    judged = job(tables, first_day=WINDOW)
    assert np.floor(popular(judged).counts).tolist() == [0, 1, 2]
    assert transitions(judged, ALL_KINDS).rows() == [(1, 2, 1)]
