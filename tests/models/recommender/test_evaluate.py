from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
import torch

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, TablesAt, Validation, commit, read
from data_contracts.manifest import MANIFEST, seal
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.contestants import ContestantError
from models.recommender.evaluate import evaluate, remarks
from models.recommender.network import SequenceNetwork
from models.recommender.targets import JudgedWindow
from models.recommender.weights import Weights, new_network, save
from models.rows.weights import TENSORS
from tests.models.recommender.scored import scores as scores_of
from tests.models.recommender.tables import Event, Events, write_tables

LENGTH = 4
FEATURES: Config = {"max_length": LENGTH}
NETWORK = NetworkConfig(width=8, heads=2)
Met = tuple[int, datetime]
"""An item, and when it was met."""

PAST: dict[str, dict[str, Events]] = {
    "2026-11-01": {"ann": [1, 2, 3], "bob": [1, 1, 2, 4], "cat": [1, 2, 5]},
    "2026-11-02": {"ann": [2], "dan": [3]},
}


def job(tables: TablesAt, contestants: Mapping[str, Path] | None = None, **settings: object) -> EvaluateJob:
    return EvaluateJob(
        use_case="recommender",
        tables=tables,
        window="2026-11-03",
        first_day=date(2026, 11, 3),
        known_windows=("2026-11-01", "2026-11-02"),
        validation=Validation(window="2026-11-02", whole=True),
        contestants={name: str(folder) for name, folder in (contestants or {}).items()},
        config=RecommenderConfig.model_validate(settings | {"network": NETWORK}).model_dump(mode="json"),
        features=FEATURES,
        work_folder="",
    )


def tables_with(folder: Path, judged: Mapping[str, Events]) -> TablesAt:
    return write_tables(folder, {**PAST, "2026-11-03": judged}, max_length=LENGTH)


def saved_network(
    folder: Path, items: int, *, seed: int = 0, kind: Literal["sasrec", "hstu"] = "sasrec"
) -> SequenceNetwork:
    torch.manual_seed(seed)
    config = RecommenderConfig(network=NETWORK.model_copy(update={"kind": kind}))
    network = new_network(items, config, FEATURES).eval()
    with torch.no_grad():
        network.embedding.item.weight[1:].normal_()
        for name, parameter in network.blocks.named_parameters():
            if name.endswith("ago_T"):
                parameter.normal_()
    save(Weights(network, config, FEATURES), folder)
    seal(folder)
    return network


def test_popularity_is_judged_as_by_hand(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"ann": [5], "bob": [3, 5], "eve": [2, 1]})))
    # Popularity without validation: 1 four times, 2 three times, 3, 4, 5 once; 3 once more as dan's first event.
    # ann has seen 1, 2, 3: 4 and 5 share the first places. bob has seen 1, 2, 4: 3 first, then 5. eve has seen 2.
    expected = np.mean([1 / 1.5, np.mean([1, 1]), 1])
    assert found.metrics["popularity"]["mrr"] == pytest.approx(expected)
    assert found.slices["new_users"].metrics["popularity"]["mrr"] == 1
    assert found.counts["targets"] == 4
    assert found.counts["units"] == 3
    assert found.slices["new_users"].units == 1


def test_repeats_are_dropped_and_counted_whether_seen_before_or_within_the_window(tmp_path: Path) -> None:
    tables = tables_with(tmp_path, {"ann": [4, 4, 1, 5, 4, 1, 4, 5], "eve": [2, 2]})
    counts = evaluate(job(tables)).counts
    assert counts["window_targets"] == 9
    assert counts["window_units"] == 2
    assert counts["targets"] == 2
    assert counts["units"] == 1
    assert counts["repeats_dropped"] == 7
    everything = evaluate(job(tables, exclude_seen=False)).counts
    assert everything["targets"] == 9
    assert everything["repeats_dropped"] == 0


def test_an_item_seen_long_ago_is_hidden_too(tmp_path: Path) -> None:
    windows: dict[str, dict[str, Events]] = {
        "2026-11-01": {"ann": [1, 2, 3, 4, 5, 6, 7], "bob": [1, 1, 8]},
        "2026-11-02": {"bob": [2]},
        "2026-11-03": {"ann": [1, 8]},
    }
    found = evaluate(job(write_tables(tmp_path, windows, max_length=LENGTH)))
    assert found.counts["repeats_dropped"] == 1
    assert found.metrics["popularity"]["mrr"] == 1


def test_a_target_that_nobody_may_recommend_is_a_miss_and_counted(tmp_path: Path) -> None:
    tables = tables_with(tmp_path, {"ann": [6, 5]})
    found = evaluate(
        job(tables, {"candidate": _folder_of(tmp_path, items=5), "champion": _folder_of(tmp_path, items=4)})
    )
    unknown = {name.split(".")[1]: count for name, count in found.counts.items() if name.startswith("unknown")}
    assert unknown == {"candidate": 1, "champion": 2, "popularity": 1, "markov": 1}
    assert found.metrics["champion"]["mrr"] == 0
    assert found.metrics["popularity"]["hr@5"] == 0.5


def test_items_below_the_minimum_are_neither_recommended_nor_found(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"dan": [1, 4, 2]}), min_item_count=2))
    assert found.counts["servable_items"] == 3
    assert found.counts["unknown_targets.popularity"] == 1
    assert found.metrics["popularity"]["hr@10"] == pytest.approx(2 / 3)
    assert found.metrics["popularity"]["coverage@10"] == pytest.approx(2 / 3), "dan has seen 3"


def test_users_with_few_events_are_left_out(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"dan": [1], "eve": [1, 2], "ann": [4]}), min_user_count=3))
    assert (found.counts["units"], found.counts["window_units"]) == (1, 1)


def test_only_the_kinds_asked_for_are_judged_and_the_others_are_still_seen(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"dan": [1, (2, "cart"), (1, "cart")]}), target_events=("cart",)))
    assert found.counts["targets"] == 1
    assert found.counts["repeats_dropped"] == 1


def test_a_window_of_repeats_judges_nobody_and_says_so(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"ann": [1, 2]})))
    assert found.metrics == {"popularity": {}, "markov": {}}
    assert found.counts["targets"] == 0


@pytest.mark.parametrize("kind", ["sasrec", "hstu"])
def test_a_network_is_judged_as_one_request_at_a_time_would(tmp_path: Path, kind: Literal["sasrec", "hstu"]) -> None:
    random = np.random.default_rng(0)
    users = {f"user-{number}": random.integers(1, 16, 9).tolist() for number in range(30)}
    windows: dict[str, dict[str, Events]] = {
        "2026-11-01": {user: items[:3] for user, items in users.items() if user > "user-2"},
        "2026-11-02": {user: items[3:5] for user, items in users.items() if user > "user-12"},
        "2026-11-03": {user: items[5:] for user, items in users.items()} | {"late": [17, 18, 1, 17, 2]},
    }
    known = 16
    windows["2026-11-01"]["all"] = list(range(1, known + 1))
    network = saved_network(tmp_path / "candidate", items=known, kind=kind)
    tables = write_tables(tmp_path, windows, max_length=LENGTH)
    found = evaluate(job(tables, {"candidate": tmp_path / "candidate"})).metrics["candidate"]

    met = [*windows["2026-11-01"].values(), *windows["2026-11-02"].values()]
    ever = np.bincount(np.concatenate(met), minlength=known + 1)
    popularity = np.bincount(np.concatenate(list(windows["2026-11-01"].values())), minlength=known + 1)
    firsts = [users[user][3] for user in windows["2026-11-02"] if user not in windows["2026-11-01"]]
    popularity = popularity + np.bincount(firsts, minlength=known + 1) + ever / (ever.max() + 1)
    by_user: dict[str, list[tuple[float, float]]] = {}
    for user, new in windows["2026-11-03"].items():
        before = [(window, _number(event)) for window in PAST for event in windows[window].get(user, [])]
        timed = [
            (item, datetime.fromisoformat(window).replace(tzinfo=UTC) + timedelta(minutes=minute))
            for minute, (window, item) in enumerate([*before, *(("2026-11-03", _number(event)) for event in new)])
        ]
        gains = _one_by_one(network, popularity, timed[: len(before)], timed[len(before) :])
        by_user |= {user: gains} if gains else {}
    live, nightly = np.mean([np.mean(gains, axis=0) for gains in by_user.values()], axis=0)
    assert found["mrr"] == pytest.approx(live, abs=1e-6)
    assert found["mrr.nightly"] == pytest.approx(nightly, abs=1e-6)
    assert live != pytest.approx(nightly, abs=1e-3)


def _one_by_one(
    network: SequenceNetwork, popularity: np.ndarray, before: list[Met], new: list[Met]
) -> list[tuple[float, float]]:
    """Reciprocal ranks, up to the moment and as of the window's start; pieces are cut as `write_tables` does."""
    gains, events = [], before + new
    position = max(len(before), 1)
    while position < len(events):
        size = min(len(events) - position, LENGTH + 1 - min(position, LENGTH // 2))
        start = max(0, position - (LENGTH + 1 - size))
        for place in range(position, position + size):
            (target, _), seen = events[place], {item for item, _ in events[:place]}
            if target in seen:
                continue
            live = _gain(network, popularity, events[start:place], seen, target)
            known = {item for item, _ in before}
            gains.append((live, _gain(network, popularity, before[-LENGTH:], known, target)))
        position += size
    return gains


def _gain(network: SequenceNetwork, popularity: np.ndarray, read: Sequence[Met], seen: set[int], target: int) -> float:
    context = [(item, int(time.timestamp())) for item, time in read if item <= network.items]
    scores = scores_of(network, torch.tensor([context]))[0].detach().numpy() if context else popularity
    allowed = [item for item in range(1, network.items + 1) if item not in seen]
    if target not in allowed:
        return 0
    better = sum(scores[item] > scores[target] for item in allowed)
    ties = sum(scores[item] == scores[target] for item in allowed) - 1
    return float(1 / (better + ties / 2 + 1))


def _number(event: Event) -> int:
    return event if isinstance(event, int) else event[0]


def test_a_diverged_network_has_no_metrics_and_its_answer_survives_json(tmp_path: Path) -> None:
    network = saved_network(tmp_path / "candidate", items=5)
    with torch.no_grad():
        network.head.norm.weight.fill_(torch.nan)
    save(Weights(network, RecommenderConfig(network=NETWORK), FEATURES), tmp_path / "candidate")
    seal(tmp_path / "candidate")
    found = evaluate(job(tables_with(tmp_path, {"ann": [4], "bob": [3]}), {"candidate": tmp_path / "candidate"}))
    commit(found, tmp_path / "result.json")
    again = read(tmp_path / "result.json", Judgement)
    assert math.isnan(again.metrics["candidate"]["ndcg@10"])
    assert math.isfinite(again.metrics["popularity"]["ndcg@10"])


def test_a_contestant_of_other_tables_is_refused(tmp_path: Path) -> None:
    tables = tables_with(tmp_path, {"ann": [4]})
    with pytest.raises(ContestantError, match=r"'champion' cannot rank.*it knows 9 items, the tables have 5"):
        evaluate(job(tables, {"champion": _folder_of(tmp_path, items=9)}))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    folder = _folder_of(tmp_path, items=5)
    (folder / TENSORS).write_bytes(b"0" * 100)
    with pytest.raises(ContestantError, match=r"(?s)'champion' cannot rank.*sha256"):
        evaluate(job(tables_with(tmp_path, {"ann": [4]}), {"champion": folder}))


def test_weights_without_their_manifest_are_refused(tmp_path: Path) -> None:
    folder = _folder_of(tmp_path, items=5)
    (folder / MANIFEST).unlink()
    with pytest.raises(ContestantError, match=r"(?s)'champion' cannot rank.*no readable manifest"):
        evaluate(job(tables_with(tmp_path, {"ann": [4]}), {"champion": folder}))


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContestantError, match="'candidate' cannot rank"):
        evaluate(job(tables_with(tmp_path, {"ann": [4]}), {"candidate": tmp_path / "nothing"}))


def _folder_of(folder: Path, items: int) -> Path:
    saved_network(folder / f"knows-{items}", items)
    return folder / f"knows-{items}"


LATE = date(2026, 11, 2)


def test_what_came_late_does_not_judge_and_is_seen_all_the_same(tmp_path: Path) -> None:
    judged: dict[str, Events] = {
        "ann": [(4, "view", LATE), 4, 5],
        "bob": [(3, "view", LATE)],
        "eve": [(1, "view", LATE), 2],
    }
    counts = evaluate(job(tables_with(tmp_path, judged))).counts
    assert (counts["window_targets"], counts["window_units"]) == (3, 2)
    assert (counts["targets"], counts["units"], counts["repeats_dropped"]) == (2, 2, 1)


def test_a_window_of_late_events_judges_nobody(tmp_path: Path) -> None:
    found = evaluate(job(tables_with(tmp_path, {"ann": [(4, "view", LATE)]})))
    assert found.metrics == {"popularity": {}, "markov": {}}
    assert (found.counts["window_targets"], found.counts["window_units"]) == (0, 0)


def test_a_window_judges_its_own_days_which_are_those_of_the_zone(tmp_path: Path) -> None:
    evening, noon = datetime(2026, 11, 3, 3, tzinfo=UTC), datetime(2026, 11, 3, 12, tzinfo=UTC)
    tables = tables_with(tmp_path, {"ann": [(4, "view", evening), (5, "view", noon)]})
    assert evaluate(job(tables)).counts["window_targets"] == 2
    of_new_york = job(tables).model_copy(update={"day_zone": "America/New_York"})
    assert evaluate(of_new_york).counts["window_targets"] == 1


def test_markov_reads_the_last_item_of_the_history_where_it_is_judged_as_of_the_windows_start(tmp_path: Path) -> None:
    past: dict[str, Events] = {f"user-{number}": [1, 2, 3, 4] for number in range(9)} | {"ann": [1, 2], "dan": [5, 2]}
    windows = {"2026-11-01": past, "2026-11-02": {}, "2026-11-03": {"ann": [3, 4], "eve": [2, 3]}}
    found = evaluate(job(write_tables(tmp_path, windows, max_length=LENGTH))).metrics["markov"]
    # 3 followed 2, 4 followed 3. As of the window's start ann did 2 last, and has 3 before 4 and 5 in the list of those
    # who did; 1 and 2 she has seen. Of eve nothing is known: 2 is the most popular, 3 comes after it and 4 and 1.
    assert found["mrr"] == 1
    assert found["mrr.nightly"] == pytest.approx(np.mean([np.mean([1, 1 / 2]), 1 / 3.5]))


def test_leave_one_out_has_no_days_and_so_no_night(tmp_path: Path) -> None:
    judged = job(tables_with(tmp_path, {"ann": [(4, "view", LATE), 5]})).model_copy(update={"first_day": None})
    found = evaluate(judged)
    assert found.counts["targets"] == 2
    assert not [name for name in found.metrics["popularity"] if name.endswith(".nightly")]


def test_targets_that_share_their_users_moment_are_counted(tmp_path: Path) -> None:
    noon, night = datetime(2026, 11, 3, 12, tzinfo=UTC), datetime(2026, 11, 2, 23, tzinfo=UTC)
    past: dict[str, Events] = {"ann": [1, (2, "view", night)], "bob": [1, 3]}
    judging: dict[str, Events] = {
        "ann": [(3, "view", night), (1, "view", noon), (3, "view", noon), 2],
        "bob": [(2, "view", noon)],
    }
    tables = write_tables(tmp_path, {"2026-11-01": {}, "2026-11-02": past, "2026-11-03": judging}, max_length=LENGTH)
    assert evaluate(job(tables)).counts["shared_moments"] == 2
    without_days = job(tables).model_copy(update={"first_day": None})
    assert evaluate(without_days).counts["shared_moments"] == 3, "one of them shares it with a remembered event"


@pytest.mark.parametrize(("targets_at_once", "examples_at_once"), [(1, 1), (7, 5), (1_000, 1_000)])
def test_every_target_is_judged_once_however_much_is_read_at_once(
    tmp_path: Path, targets_at_once: int, examples_at_once: int
) -> None:
    judged: dict[str, Events] = {f"user-{number}": [1, 2, 3, 4, 5, 1] for number in range(20)}
    window = JudgedWindow(job(tables_with(tmp_path, judged)), RecommenderConfig())
    batches = list(window.batches(targets_at_once, examples_at_once))
    assert max(batch.live.targets.height for batch in batches) < targets_at_once + 4, "an example is never parted"
    targets = pl.concat([batch.live.targets for batch in batches])
    assert targets.height == targets.unique(["user", "item"]).height == window.counts["targets"] == 80
    assert targets["user"].n_unique() == window.counts["units"] == 20
    assert sum(batch.live.hidden.height for batch in batches) == 20 * (1 + 2 + 3 + 4)
    for batch in batches:
        assert batch.nightly is not None
        assert batch.nightly.targets.drop("example", "place").equals(batch.live.targets.drop("example", "place"))
        assert batch.nightly.hidden.is_empty(), "nobody was there before"


@pytest.mark.parametrize(
    ("shared", "said"), [pytest.param(501, True, id="most"), pytest.param(500, False, id="half"), (0, False)]
)
def test_it_is_said_when_most_moments_are_shared(tmp_path: Path, shared: int, said: bool) -> None:  # noqa: FBT001
    counts = {"window_targets": 1_000, "shared_moments": shared}
    found = remarks(job(tables_with(tmp_path, {"dan": [1]})), counts)
    assert any("share their user's moment" in remark for remark in found) is said


def test_it_is_said_what_the_nightly_metrics_are_where_windows_have_days(tmp_path: Path) -> None:
    counts = {"window_targets": 1_000, "shared_moments": 0}
    judged = job(tables_with(tmp_path, {"dan": [1]}))
    assert remarks(judged.model_copy(update={"first_day": None}), counts) == ()
    (said,) = remarks(judged.model_copy(update={"first_day": date(2026, 11, 3)}), counts)
    assert "up to the moment before each target" in said
    assert "as of the window's start" in said
