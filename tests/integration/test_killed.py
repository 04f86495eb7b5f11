"""A night killed at any commit point, and run again, ends as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.commit_point import POINTS
from tests.integration.conftest import House
from tests.integration.disturbed import Undisturbed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
COUNT = {"step": 4}
"""Where not the first time: in the middle of the second epoch, with a checkpoint behind it."""


@pytest.fixture(scope="module")
def second(undisturbed: Undisturbed) -> Iterator[House]:
    """The house before its second night, the champion of the first in service."""
    with undisturbed.second() as house:
        yield house


def test_an_undisturbed_night_passes_every_point_in_its_order(undisturbed: Undisturbed) -> None:
    wanted = [(point, moment) for point in POINTS for moment in ("before", "after")]
    assert list(dict.fromkeys(undisturbed.heard)) == wanted


@pytest.mark.parametrize("point", POINTS)
def test_a_night_is_killed_after_one_point_after_the_other(
    point: str, second: House, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    faults = {"POINT": point, "MOMENT": "after", "COUNT": COUNT.get(point, 1), "ONCE": tmp_path / "killed"}
    undisturbed.night(second, code=-signal.SIGKILL, **faults)


def test_at_last_it_ends_as_if_nothing_had_happened(second: House, undisturbed: Undisturbed) -> None:
    undisturbed.night(second)
    undisturbed.assert_equal(second)
