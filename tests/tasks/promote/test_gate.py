from __future__ import annotations

import math

import pytest

from data_contracts.evidence import Evidence, Metrics
from data_contracts.night import HeldOut, Protocol
from models.recommender.metrics import METRICS
from tasks.promote.config import GateConfig
from tasks.promote.gate import Decision, decide

NAN = math.nan


def decision(
    candidate: float,
    champion: float | None,
    popularity: float = 0.05,
    markov: float = 0.04,
    *,
    window: int = 2_000,
    targets: int = 1_500,
    users: int = 300,
    protocol: Protocol = "nightly",
    left_out: dict[str, str] | None = None,
) -> Decision:
    values = {"candidate": candidate, "popularity": popularity, "markov": markov}
    values |= {} if champion is None else {"champion": champion}
    metrics = {name: {"ndcg@10": value} if targets else {} for name, value in values.items()}
    counts = {"window_targets": window, "window_units": 300, "targets": targets, "units": users}
    evidence = Evidence(by=METRICS, run_id="run", metrics=metrics, counts=counts, left_out=left_out or {})
    return decide(evidence, GateConfig(), HeldOut(), protocol)


@pytest.mark.parametrize(
    ("candidate", "champion", "popularity", "markov", "promoted"),
    [
        pytest.param(0.21, 0.20, 0.05, 0.04, True, id="better"),
        pytest.param(0.196, 0.20, 0.05, 0.04, True, id="within max_loss"),
        pytest.param(0.195, 0.20, 0.05, 0.04, False, id="worse"),
        pytest.param(0.21, 0.20, 0.22, 0.04, False, id="popularity beats it"),
        pytest.param(0.22, 0.20, 0.22, 0.04, False, id="no better than popularity"),
        pytest.param(0.21, 0.20, 0.05, 0.22, False, id="markov beats it, and the champion"),
        pytest.param(0.196, 0.20, 0.05, 0.197, False, id="within max_loss, and markov beats it"),
        pytest.param(NAN, 0.20, 0.05, 0.04, False, id="diverged"),
        pytest.param(NAN, None, 0.05, 0.04, False, id="diverged, and no champion"),
        pytest.param(0.06, None, 0.05, 0.04, True, id="no champion"),
        pytest.param(0.05, None, 0.06, 0.04, False, id="no champion, and popularity beats it"),
        pytest.param(0.06, None, 0.05, 0.07, False, id="no champion, and markov beats it"),
        pytest.param(0.06, NAN, 0.05, 0.04, True, id="a champion that cannot rank any more"),
    ],
)
def test_the_gate(
    candidate: float,
    champion: float | None,
    popularity: float,
    markov: float,
    promoted: bool,  # noqa: FBT001
) -> None:
    assert decision(candidate, champion, popularity, markov).promoted is promoted


@pytest.mark.parametrize(
    ("targets", "users", "promoted"),
    [
        pytest.param(1_000, 100, True, id="just enough"),
        pytest.param(999, 100, False, id="too few targets"),
        pytest.param(1_000, 99, False, id="too few users"),
    ],
)
def test_a_small_window_promotes_nobody(targets: int, users: int, promoted: bool) -> None:  # noqa: FBT001
    decided = decision(0.3, 0.2, targets=targets, users=users)
    assert decided.promoted is promoted
    if not promoted:
        assert decided.reason == (
            f"{targets:,} targets of {users:,} users could be judged, too few to decide: it takes 1,000 targets of "
            "100 users."
        )


def test_what_was_judged_counts_not_what_the_window_holds() -> None:
    """Repeats, and kinds of event that do not count, are most of many a log."""
    assert decision(0.5, None, 0.0, 0.0, window=2_000, targets=1, users=1).reason == (
        "1 target of 1 user could be judged, too few to decide: it takes 1,000 targets of 100 users."
    )


def test_a_window_without_a_target_of_its_own_promotes_nobody_and_says_so() -> None:
    assert decision(0.3, 0.2, window=0, targets=0, users=0) == (
        False,
        "Nothing could be judged: the window has no target on its own days.",
    )


def test_a_baseline_of_any_name_must_be_beaten_and_those_that_were_declared_must_be_there() -> None:
    counts = {"window_targets": 2_000, "window_units": 300, "targets": 1_500, "units": 300}
    metrics = {"candidate": {"ndcg@10": 0.2}}
    undeclared = METRICS.model_copy(update={"baselines": ()})

    def decided(by: Metrics) -> Decision:
        evidence = Evidence(by=by, run_id="run", metrics=metrics, counts=counts)
        return decide(evidence, GateConfig(), HeldOut(), "nightly")

    assert not decided(undeclared).promoted
    assert decided(undeclared).reason.endswith("nobody can say whether that is enough: not judged, no baseline.")
    metrics["last year's model"] = {"ndcg@10": 0.3}
    assert decided(undeclared) == (False, "NDCG@10 0.2000 on 1,500 targets does not beat last year's model 0.3000.")
    metrics["last year's model"] = {"ndcg@10": 0.1}
    assert decided(undeclared).promoted
    metrics["popularity"] = {"ndcg@10": 0.1}
    assert not decided(METRICS).promoted
    assert decided(METRICS).reason.endswith("not judged, markov.")


ERROR = Metrics(primary="mae", shown=("mae",), drawn=("mae",), lower_is_better=("mae",), baselines=("median",))


@pytest.mark.parametrize(
    ("candidate", "champion", "median", "promoted", "said"),
    [
        pytest.param(0.9, 1.0, 2.0, True, "is enough: the champion has 1.0000, plus 2.0% is 1.0200", id="less"),
        pytest.param(1.02, 1.0, 2.0, True, "is enough", id="within max_loss"),
        pytest.param(1.03, 1.0, 2.0, False, "is too much: the champion has 1.0000, plus 2.0% is 1.0200", id="more"),
        pytest.param(2.0, 3.0, 2.0, False, "does not beat median 2.0000", id="no better than the median"),
        pytest.param(1.0, None, 2.0, True, "beats median 2.0000", id="no champion"),
        pytest.param(0.0, 0.0, 1.0, True, "is enough", id="nothing to lose"),
        pytest.param(-1.0, -0.99, 0.0, True, "is enough", id="below 0"),
        pytest.param(-1.0, -1.1, 0.0, False, "is too much", id="below 0, and more"),
        pytest.param(NAN, 1.0, 2.0, False, "diverged", id="diverged"),
        pytest.param(1.0, NAN, 2.0, True, "ranks no more", id="the champion diverged"),
    ],
)
def test_where_less_is_better(
    candidate: float,
    champion: float | None,
    median: float,
    promoted: bool,  # noqa: FBT001
    said: str,
) -> None:
    values = {"candidate": candidate, "median": median} | ({} if champion is None else {"champion": champion})
    counts = dict.fromkeys(("window_targets", "window_units", "targets", "units"), 2_000)
    metrics = {name: {"mae": value} for name, value in values.items()}
    evidence = Evidence(by=ERROR, run_id="run", metrics=metrics, counts=counts)
    decided = decide(evidence, GateConfig(), HeldOut(), "nightly")
    assert (decided.promoted, said in decided.reason) == (promoted, True), decided


def test_a_window_of_repeats_promotes_nobody_and_says_so() -> None:
    assert decision(0.3, 0.2, targets=0, users=0) == (
        False,
        "None of the window's 2,000 targets of 300 users could be judged: what they are does not count (repeats, say).",
    )


def test_leave_one_out_moves_no_alias_and_says_so() -> None:
    assert decision(0.3, None, protocol="leave_one_out", targets=10, users=5) == (
        False,
        "NDCG@10 0.3000 on 10 targets; popularity 0.0500, markov 0.0400. "
        "Leave-one-out only compares with published tables: no alias moves.",
    )


@pytest.mark.parametrize(
    ("candidate", "champion", "reason"),
    [
        pytest.param(0.21, 0.20, "NDCG@10 0.2100 on 1,500 targets is enough: the champion has 0.2000, less 2.0% is "
                     "0.1960.", id="enough"),
        pytest.param(0.19, 0.20, "NDCG@10 0.1900 on 1,500 targets is too little: the champion has 0.2000, less 2.0% is "
                     "0.1960.", id="too little"),
        pytest.param(0.045, 0.20, "NDCG@10 0.0450 on 1,500 targets does not beat popularity 0.0500.", id="popularity"),
        pytest.param(0.04, 0.20, "NDCG@10 0.0400 on 1,500 targets does not beat popularity 0.0500, markov 0.0400.",
                     id="both"),
        pytest.param(NAN, 0.20, "NDCG@10 nan on 1,500 targets: the candidate diverged.", id="diverged"),
        pytest.param(0.06, None, "NDCG@10 0.0600 on 1,500 targets beats popularity 0.0500, markov 0.0400, and there is "
                     "no champion to compare with.", id="alone"),
        pytest.param(0.06, NAN, "NDCG@10 0.0600 on 1,500 targets beats popularity 0.0500, markov 0.0400, and the "
                     "champion ranks no more: nan.", id="a champion that cannot rank"),
    ],
)  # fmt: skip
def test_reasons_are_sentences_with_numbers(candidate: float, champion: float | None, reason: str) -> None:
    assert decision(candidate, champion).reason == reason


def test_a_champion_that_was_not_judged_is_named_with_the_reason() -> None:
    decided = decision(0.06, None, left_out={"champion": "version 3 was trained on tables made before these"})
    assert decided.promoted
    assert decided.reason.endswith("the champion was not judged: version 3 was trained on tables made before these.")


def test_a_damaged_champion_keeps_its_place() -> None:
    left_out = {"champion": "version 3 is damaged in MLflow"}
    evidence = Evidence(
        by=METRICS,
        run_id="run",
        metrics={"candidate": {"ndcg@10": 0.3}, "popularity": {"ndcg@10": 0.05}},
        counts={"window_targets": 2_000, "window_units": 300, "targets": 1_500, "units": 300},
        left_out=left_out,
        champion_damaged=True,
    )
    decided = decide(evidence, GateConfig(), HeldOut(), "nightly")
    assert not decided.promoted
    assert decided.reason.endswith(
        "version 3 is damaged in MLflow. Restore its files, or take the alias 'champion' off it. "
        "The next night with new files decides; this decision stands."
    )
