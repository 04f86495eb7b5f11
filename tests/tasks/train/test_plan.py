from __future__ import annotations

from datetime import date

import pytest

from data_contracts.job import Validation
from data_contracts.night import Night, Protocol, Window
from tasks.champion import Champion
from tasks.train.plan import Plan, Shape, plan_training

SHAPE: Shape = {"network": {"width": 64}}
NARROW: Shape = {"network": {"width": 32}}
DAYS = ("day-1", "day-2", "day-3", "day-4")


def night(*windows: str, protocol: Protocol = "nightly") -> Night:
    day = date(2026, 11, 1)
    return Night(window=Window(first_day=day, last_day=day), windows=windows, tables={}, protocol=protocol)


def champion(trained_through: str, stranger: str = "") -> Champion:
    return Champion(version="7", trained_through=trained_through, stranger=stranger)


@pytest.mark.parametrize(
    ("serving", "warm_start", "windows", "replayed", "reason"),
    [
        pytest.param(None, True, DAYS[:3], (), "no champion", id="the first night"),
        pytest.param(champion("day-2"), True, DAYS[2:3], DAYS[:2], "from version 7", id="an ordinary night"),
        pytest.param(champion("day-1"), True, DAYS[1:3], DAYS[:1], "from version 7", id="a night nobody won before"),
        pytest.param(champion("day-2"), False, DAYS[:3], (), "warm_start is false", id="told to start from nothing"),
        pytest.param(champion("day-3"), True, DAYS[:3], (), "nothing is new", id="the champion knows it all"),
        pytest.param(champion("", "of others"), True, DAYS[:3], (), "of others", id="a champion that is a stranger"),
    ],
)
def test_who_trains_on_what(
    *, serving: Champion | None, warm_start: bool, windows: tuple[str, ...], replayed: tuple[str, ...], reason: str
) -> None:
    plan = plan_training(night(*DAYS), serving, SHAPE, SHAPE, warm_start=warm_start)
    assert (plan.windows, plan.replayed, plan.known) == (windows, replayed, DAYS[:3])
    assert plan.warm is bool(replayed)
    assert plan.validation == Validation(window="day-3")
    assert reason in plan.reason


def test_weights_of_another_shape_are_no_start() -> None:
    plan = plan_training(night(*DAYS), champion("day-2"), SHAPE, NARROW, warm_start=True)
    assert (plan.warm, plan.windows) == (False, DAYS[:3])
    assert "version 7 has another network: {'network': {'width': 32}}" in plan.reason


def test_leave_one_out_starts_from_nothing_and_every_user_validates() -> None:
    plan = plan_training(
        night("train", "validation", "test", protocol="leave_one_out"), champion("train"), SHAPE, SHAPE, warm_start=True
    )
    assert plan == Plan(
        windows=("train",),
        known=("train",),
        validation=Validation(window="validation", whole=True),
        warm=False,
        reason="from nothing: leave_one_out starts from nothing",
    )


@pytest.mark.parametrize(("windows", "protocol"), [(("day-1",), "nightly"), (DAYS[:2], "leave_one_out")])
def test_too_few_windows_are_refused(windows: tuple[str, ...], protocol: Protocol) -> None:
    with pytest.raises(ValueError, match=r"needs \d windows, the night has"):
        plan_training(night(*windows, protocol=protocol), None, SHAPE, {}, warm_start=True)
