"""A night that is killed, out of disk, ended and run twice at once ends, once it is run again, as one undisturbed.

It is the same night all the time: the tests follow each other in one house.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.ending import exit_code
from flows.nights import look
from tests.integration.conftest import House, until
from tests.integration.full_disk import fill, small_disk
from tests.integration.nights import alone, ended, started_night
from tests.integration.release import RELEASE
from tests.integration.undisturbed import Undisturbed
from tests.killing import POINTS
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow
BEFORE_TRAINING = ("staging", "examples")
FROM_TRAINING_ON = ("evaluate result", "logged model")
"""Where most is half done. The tasks' own tests kill at other points, trainings too; the drill at all of them."""


@pytest.fixture(scope="module")
def second(undisturbed: Undisturbed) -> Iterator[House]:
    """The house before its second night, the champion of the first in service, on a small disk."""
    with small_disk(undisturbed.house.home), undisturbed.second() as house:
        yield house


def kill(point: str, house: House, undisturbed: Undisturbed, cluster: str, folder: Path) -> None:
    """Kill the night after a point, by SIGKILL, which nobody hears."""
    if point != "examples":  # there its own Dask cluster is killed with it, elsewhere it goes on
        house = house.under(NIGHTSHIFT_CLUSTER__ADDRESS=cluster)
    undisturbed.night(house, code=-signal.SIGKILL, POINT=point, MOMENT="after", ONCE=folder / "killed")


def test_an_undisturbed_night_passes_every_point_in_its_order(undisturbed: Undisturbed) -> None:
    wanted = [(point, moment) for point in POINTS for moment in ("before", "after")]
    passed = dict.fromkeys(each for each in undisturbed.heard if not each[0].endswith(" rewritten"))
    assert list(passed) == wanted


def test_a_home_of_the_release_before_is_taken_along(undisturbed: Undisturbed) -> None:
    if undisturbed.release is None:
        pytest.skip(f"git has no commit {RELEASE}: fetch the whole history")
    said = undisturbed.log.read_text()
    assert "from nothing: version 1 has another network" in said, "its champion's is not trained any more"
    assert "champion  " in said, "but judged"


@pytest.mark.parametrize("point", BEFORE_TRAINING)
def test_a_night_is_killed_in_one_task_after_the_other(
    point: str, second: House, undisturbed: Undisturbed, cluster: str, tmp_path: Path
) -> None:
    kill(point, second, undisturbed, cluster, tmp_path)


def test_then_the_disk_fills_in_mid_training_which_harms_nothing(
    second: House, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    fill("step", second, undisturbed, tmp_path)


def test_then_sigterm_in_mid_training_ends_it_in_time_and_its_run_too(second: House, tmp_path: Path) -> None:
    code, said = ended(alone(second), tmp_path, signal.SIGTERM, "step", count=2)
    assert code == exit_code(signal.SIGTERM)
    assert "The night was ended by SIGTERM. The same command goes on from here." in said
    client = MlflowClient(tracking_uri=second.settings().workspace().tracking_uri)
    experiment = client.get_experiment_by_name("shop")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.status for run in runs) == ["FAILED", "FINISHED"]


@pytest.mark.parametrize("point", FROM_TRAINING_ON)
def test_then_it_is_killed_in_all_other_tasks(
    point: str, second: House, undisturbed: Undisturbed, cluster: str, tmp_path: Path
) -> None:
    kill(point, second, undisturbed, cluster, tmp_path)


def test_then_of_two_at_once_one_says_so_and_the_other_is_killed_while_it_deploys(
    second: House, tmp_path: Path
) -> None:
    heard, log = tmp_path / "heard", tmp_path / "log.txt"
    with started_night(second, log, HEARD=heard, POINT="switch", MOMENT="after") as first:
        assert until(heard.exists, LONG_SECONDS), log.read_text()
        first.send_signal(signal.SIGSTOP)  # it is at work until the other one has ended, however slow that is
        said = second.run("flows.nightly", code=1)
        first.send_signal(signal.SIGCONT)
        assert first.wait(LONG_SECONDS) == -signal.SIGKILL, log.read_text()
    name = log.read_text().split("Beginning flow run '")[1].split("'")[0]
    assert f"NightRunningError: night '{name}' (process {first.pid} on " in said, said
    assert "Nothing was done. Wait for it, or end it." in said


def test_nights_of_other_homes_and_names_are_not_seen(second: House, tmp_path: Path) -> None:
    own = second.settings()
    with temporary_settings({PREFECT_API_URL: f"{own.prefect_url}/api"}):
        assert [night.state for night in look(own).nights][-1] == "Completed", "the first night, in the same Prefect"
        assert look(own.model_copy(update={"home": tmp_path})).nights == ()
        assert look(own.model_copy(update={"name": "other"})).nights == ()


def test_at_last_it_ends_as_if_nothing_had_happened(second: House, undisturbed: Undisturbed) -> None:
    undisturbed.night(second)
    undisturbed.assert_equal(second)
