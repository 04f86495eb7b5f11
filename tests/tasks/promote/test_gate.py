from __future__ import annotations

import math

import pytest

from data_contracts.evidence import Evidence, Interval, Metrics, Slice
from data_contracts.night import HeldOut, Protocol
from models.recommender.metrics import METRICS
from tasks.promote.config import GateConfig, SubgroupConfig
from tasks.promote.gate import Decision, anchored, decide

NAN = math.nan
COUNTS = {"window_targets": 2_000, "window_units": 300, "targets": 1_500, "units": 300}


def judged(
    values: dict[str, float], by: Metrics = METRICS, chosen: str = "candidate", spread: float = 0.0, **told: object
) -> Evidence:
    """Return evidence in which every difference is known but for ``spread``."""
    ahead = {name: by.sign * (values[chosen] - value) for name, value in values.items() if name != chosen}
    return Evidence(
        by=by,
        run_id="run",
        metrics={name: {by.primary: value} for name, value in values.items()},
        chosen=chosen,
        ahead={name: Interval(low=value - spread, high=value + spread) for name, value in ahead.items()},
        **{"counts": COUNTS, **told},
    )


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
    spread: float = 0.0,
) -> Decision:
    values = {"candidate": candidate, "popularity": popularity, "markov": markov}
    values |= {} if champion is None else {"champion": champion}
    counts = {"window_targets": window, "window_units": 300, "targets": targets, "units": users}
    evidence = judged(values, counts=counts, left_out=left_out or {}, spread=spread)
    if not targets:
        evidence = evidence.model_copy(update={"metrics": {name: {} for name in values}, "ahead": {}})
    return decide(evidence, GateConfig(), HeldOut(), protocol)


@pytest.mark.parametrize(
    ("candidate", "champion", "popularity", "markov", "promoted"),
    [
        pytest.param(0.21, 0.20, 0.05, 0.04, True, id="better"),
        pytest.param(0.1961, 0.20, 0.05, 0.04, True, id="within max_loss"),
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
    values = {"candidate": 0.2}
    undeclared = METRICS.model_copy(update={"baselines": ()})

    def decided(by: Metrics) -> Decision:
        return decide(judged(values, by), GateConfig(), HeldOut(), "nightly")

    assert not decided(undeclared).promoted
    assert decided(undeclared).reason.endswith("nobody can say whether that is enough: not judged, no baseline.")
    values["last year's model"] = 0.3
    assert decided(undeclared) == (
        False,
        "NDCG@10 0.2000 on 1,500 targets is not surely better than last year's model 0.3000 (ahead by -0.1000 to "
        "-0.1000).",
    )
    values["last year's model"] = 0.1
    assert decided(undeclared).promoted
    values["popularity"] = 0.1
    assert not decided(METRICS).promoted
    assert decided(METRICS).reason.endswith("not judged, markov.")


ERROR = Metrics(primary="mae", shown=("mae",), drawn=("mae",), lower_is_better=("mae",), baselines=("median",))


@pytest.mark.parametrize(
    ("candidate", "champion", "median", "promoted", "said"),
    [
        pytest.param(0.9, 1.0, 2.0, True, "is enough beside champion 1.0000 (ahead by +0.1000 to", id="less"),
        pytest.param(1.019, 1.0, 2.0, True, "is enough", id="within max_loss"),
        pytest.param(1.03, 1.0, 2.0, False, "may be too much worse than champion 1.0000 (ahead by -0.0300", id="more"),
        pytest.param(2.0, 3.0, 2.0, False, "is not surely better than median 2.0000", id="no better than the median"),
        pytest.param(1.0, None, 2.0, True, "beats median 2.0000", id="no champion"),
        pytest.param(0.0, 0.0, 1.0, True, "is enough", id="nothing to lose"),
        pytest.param(-1.0, -0.99, 0.0, True, "is enough", id="below 0"),
        pytest.param(-1.0, -1.1, 0.0, False, "may be too much worse", id="below 0, and more"),
        pytest.param(NAN, 1.0, 2.0, False, "diverged", id="diverged"),
        pytest.param(1.0, NAN, 2.0, True, "the champion diverged", id="the champion diverged"),
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
    decided = decide(judged(values, ERROR), GateConfig(), HeldOut(), "nightly")
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
        pytest.param(0.21, 0.20, "NDCG@10 0.2100 on 1,500 targets is enough beside champion 0.2000 (ahead by +0.0100 "
                     "to +0.0100); it may be worse by 2.0%, surely not more.", id="enough"),
        pytest.param(0.19, 0.20, "NDCG@10 0.1900 on 1,500 targets may be too much worse than champion 0.2000 (ahead by "
                     "-0.0100 to -0.0100); it may be worse by 2.0%, surely not more.", id="too little"),
        pytest.param(0.045, 0.20, "NDCG@10 0.0450 on 1,500 targets is not surely better than popularity 0.0500 (ahead "
                     "by -0.0050 to -0.0050).", id="popularity"),
        pytest.param(0.04, 0.20, "NDCG@10 0.0400 on 1,500 targets is not surely better than popularity 0.0500 (ahead "
                     "by -0.0100 to -0.0100), markov 0.0400 (ahead by +0.0000 to +0.0000).", id="both"),
        pytest.param(NAN, 0.20, "NDCG@10 nan on 1,500 targets: the candidate diverged.", id="diverged"),
        pytest.param(0.06, None, "NDCG@10 0.0600 on 1,500 targets beats popularity 0.0500, markov 0.0400, and there is "
                     "no champion to compare with.", id="alone"),
        pytest.param(0.06, NAN, "NDCG@10 0.0600 on 1,500 targets beats popularity 0.0500, markov 0.0400, and the "
                     "champion diverged: nan.", id="a champion that cannot rank"),
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
    evidence = judged({"candidate": 0.3, "popularity": 0.05}, left_out=left_out, champion_damaged=True)
    decided = decide(evidence, GateConfig(), HeldOut(), "nightly")
    assert not decided.promoted
    assert decided.reason.endswith(
        "version 3 is damaged in MLflow. Restore its files, or take the alias 'champion' off it. "
        "The next night with new files decides; this decision stands."
    )


@pytest.mark.parametrize(
    ("candidate", "champion", "popularity", "spread", "promoted"),
    [
        pytest.param(0.21, 0.20, 0.05, 0.013, True, id="better, and surely not much worse"),
        pytest.param(0.21, 0.20, 0.05, 0.015, False, id="better, but by luck"),
        pytest.param(0.20, 0.20, 0.05, 0.003, True, id="as good, and surely so"),
        pytest.param(0.20, 0.20, 0.05, 0.005, False, id="as good, and nobody can be sure"),
        pytest.param(0.06, None, 0.05, 0.005, True, id="surely better than a baseline"),
        pytest.param(0.06, None, 0.05, 0.02, False, id="better than a baseline by luck"),
    ],
)
def test_luck_decides_nothing(
    candidate: float,
    champion: float | None,
    popularity: float,
    spread: float,
    promoted: bool,  # noqa: FBT001
) -> None:
    assert decision(candidate, champion, popularity, spread=spread).promoted is promoted


def test_small_losses_do_not_add_up() -> None:
    """127 nights, each of which loses 1.99 % of the champion's metric, and may lose 2 %."""
    quality, in_service, anchor = {"1": 0.3765}, "1", "1"
    for night in range(2, 129):
        version = str(night)
        quality[version] = quality[in_service] * (1 - 0.0199)
        values = {"candidate": quality[version], "champion": quality[in_service], "markov": 0.01, "popularity": 0.01}
        versions = {"champion": in_service}
        if anchor != in_service:
            values["anchor"], versions["anchor"] = quality[anchor], anchor
        evidence = judged(values, versions=versions)
        if decide(evidence, GateConfig(), HeldOut(), "nightly").promoted:
            in_service, anchor = version, anchored(evidence, version)
    assert in_service == "2", "one loss is allowed, and no second one beside the anchor"
    assert anchor == "1"
    assert quality[in_service] >= 0.3765 * 0.98


def test_a_champion_that_is_as_good_as_the_anchor_is_the_anchor_from_then_on() -> None:
    values = {"candidate": 0.2, "champion": 0.19, "anchor": 0.2, "markov": 0.01, "popularity": 0.01}
    versions = {"champion": "3", "anchor": "1"}
    assert anchored(judged(values, versions=versions), "4") == "4"
    assert anchored(judged(values | {"candidate": 0.199}, versions=versions), "4") == "1"
    assert anchored(judged(values | {"anchor": NAN}, versions=versions), "4") == "4", "beside the champion"
    assert anchored(judged({"candidate": 0.1, "markov": 0.01}), "4") == "4", "the first of all"


def test_the_anchor_is_named_when_a_candidate_falls_too_far_below_it() -> None:
    values = {"candidate": 0.196, "champion": 0.197, "anchor": 0.21, "markov": 0.01, "popularity": 0.01}
    decided = decide(judged(values, versions={"champion": "3", "anchor": "1"}), GateConfig(), HeldOut(), "nightly")
    assert not decided.promoted
    assert "may be too much worse than anchor 0.2100" in decided.reason
    assert "champion" not in decided.reason


RIVALLED = METRICS.model_copy(update={"rivals": ("trees",), "baselines": ("markov",)})


def test_a_rival_that_does_better_is_decided_about_in_the_candidates_place() -> None:
    values = {"candidate": 0.2, "trees": 0.3, "champion": 0.29, "markov": 0.1}
    decided = decide(judged(values, RIVALLED, chosen="trees"), GateConfig(), HeldOut(), "nightly")
    assert decided.promoted
    assert decided.reason.startswith("trees did better than the candidate (0.2000): NDCG@10 0.3000 on 1,500 targets")
    assert not decide(judged(values, RIVALLED), GateConfig(), HeldOut(), "nightly").promoted, "the candidate alone"
    del values["trees"]
    decided = decide(judged(values, RIVALLED), GateConfig(), HeldOut(), "nightly")
    assert decided.reason.endswith("not judged, trees.")


BOUNDS = {"bounds": {"ndcg@10": 0.1}, "min_units": 30}


def of_subgroups(
    slices: dict[str, tuple[int, dict[str, float]]],
    gate: object = BOUNDS,
    by: Metrics = METRICS,
    values: dict[str, float] | None = None,
    chosen: str = "candidate",
) -> Decision:
    """Decide where only subgroups may be in the way; each has units, and the metrics of who was chosen."""
    evidence = judged(
        values or {"candidate": 0.3, "popularity": 0.05, "markov": 0.04},
        by,
        chosen,
        slices={name: Slice(units=units, metrics={chosen: own}) for name, (units, own) in slices.items()},
    )
    return decide(evidence, GateConfig(subgroups=SubgroupConfig.model_validate(gate)), HeldOut(), "nightly")


@pytest.mark.parametrize(
    ("units", "metrics", "promoted", "said"),
    [
        pytest.param(30, {"ndcg@10": 0.1}, True, "", id="just enough"),
        pytest.param(30, {"ndcg@10": 0.099}, False, "Subgroups break gate.subgroups.bounds: new users NDCG@10 0.0990 "
                     "on 30 users, wanted 0.1000 at least.", id="below"),
        pytest.param(30, {"ndcg@10": NAN}, False, "Subgroups break gate.subgroups.bounds: new users NDCG@10 nan on 30 "
                     "users, wanted 0.1000 at least.", id="no number"),
        pytest.param(29, {"ndcg@10": 0.0}, True, "Subgroups of fewer than 30 users decide nothing: new users (29).",
                     id="too small"),
        pytest.param(30, {"mrr": 0.0}, True, "", id="without that metric"),
    ],
)  # fmt: skip
def test_a_subgroup_below_its_bound_promotes_nobody(
    units: int,
    metrics: dict[str, float],
    promoted: bool,  # noqa: FBT001
    said: str,
) -> None:
    """Here there is no champion: bounds are kept in the first night, too."""
    decided = of_subgroups({"new_users": (units, metrics), "others": (500, {"ndcg@10": 0.4})})
    alone = "NDCG@10 0.3000 on 1,500 targets beats popularity 0.0500, markov 0.0400, and there is no champion to "
    assert decided == (promoted, f"{alone}compare with.{' ' if said else ''}{said}")


def test_where_less_is_better_a_bound_is_the_most() -> None:
    slices = {"small": (40, {"mae": 1.1, "share": 0.8}), "large": (60, {"mae": 1.0, "share": 0.7})}
    by = ERROR.model_copy(update={"shown": ("mae", "share")})
    gate = {"bounds": {"mae": 1.0, "share": 0.75}}
    decided = of_subgroups(slices, gate, by, {"candidate": 0.9, "median": 2.0, "champion": 1.0})
    assert not decided.promoted
    assert decided.reason.endswith(
        "surely not more. Subgroups break gate.subgroups.bounds: small MAE 1.1000 on 40 units, wanted 1.0000 at most; "
        "large SHARE 0.7000 on 60 units, wanted 0.7500 at least."
    )


def test_a_bound_that_no_subgroup_can_be_held_to_is_named() -> None:
    decided = of_subgroups({"new_users": (29, {"ndcg@10": 0.3}), "others": (500, {"mrr": 0.3})})
    assert decided.promoted
    assert decided.reason.endswith(
        "Subgroups of fewer than 30 users decide nothing: new users (29). No subgroup of 30 users has NDCG@10: its "
        "bound decides nothing."
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    values = {"candidate": 0.19, "champion": 0.2, "popularity": 0.05, "markov": 0.04}
    decided = of_subgroups({"new_users": (30, {"ndcg@10": 0.0})}, values=values)
    assert "may be too much worse than champion 0.2000" in decided.reason
    assert decided.reason.endswith("new users NDCG@10 0.0000 on 30 users, wanted 0.1000 at least.")


def test_only_who_was_chosen_must_keep_bounds() -> None:
    slices = {"all": (50, {"ndcg@10": 0.3})}
    values = {"candidate": 0.01, "trees": 0.3, "markov": 0.1}
    assert of_subgroups(slices, by=RIVALLED, values=values, chosen="trees").promoted
    others = judged(values, RIVALLED, "trees", slices={"all": Slice(units=50, metrics={"candidate": {"ndcg@10": 0.0}})})
    gate = GateConfig(subgroups=SubgroupConfig.model_validate(BOUNDS))
    assert decide(others, gate, HeldOut(), "nightly").promoted
