from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from distributed import Client, Worker, WorkerPlugin
from distributed.scheduler import NoWorkerError

from tasks.cluster import ClusterConfig, dask_cluster
from tasks.preprocess.recommender.tables import Tables
from tests.patience import LONG_SECONDS
from tests.tasks.preprocess.recommender.logs import workspace
from tests.tasks.preprocess.recommender.nights import (
    COMMITS,
    assert_equal,
    build,
    orphans,
    publish_night,
    rows,
)

pytestmark = pytest.mark.slow

ROWS_PER_TASK = 200
"""Makes half a dozen tasks of each kind."""


class Killer(WorkerPlugin):
    """Kills one worker, once, when it has done a task or while it writes a file.

    Args:
        died: A file that the worker killed leaves.
        done: Prefix of the task's key.
        writing: Part of the path of the file.
    """

    name = "killer"

    def __init__(self, died: Path, *, done: str = "", writing: str = "") -> None:
        self.died, self.done, self.writing = died, done, writing

    def setup(self, worker: Worker) -> None:
        if self.writing:
            sys.addaudithook(self._hear)

    def transition(self, key: str, start: str, finish: str, **_: object) -> None:
        if self.done and key.startswith(self.done) and finish == "memory":
            self._kill()

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and self.writing in str(arguments[0]) and arguments[1] == "w":
            self._kill()

    def _kill(self) -> None:
        try:
            self.died.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def mortals() -> Iterator[str]:
    """A cluster whose workers may be killed."""
    with dask_cluster(ClusterConfig(workers=2, memory_limit="1GiB", dashboard_port=0)) as address:
        yield address


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, mortals: str) -> dict[str, pl.DataFrame]:
    """What the first night comes to."""
    home = workspace(tmp_path_factory.mktemp("undisturbed"))
    return rows(home, build(home, publish_night(home, 0), mortals, rows_per_task=ROWS_PER_TASK))


@pytest.mark.parametrize(
    ("done", "writing"),
    [
        pytest.param("survey_range", "", id="in mid-survey"),
        pytest.param("", "/preprocess-", id="while it writes counts", marks=pytest.mark.drill),
        pytest.param("", "/examples/", id="while it writes examples"),
    ],
)
def test_a_night_goes_on_when_a_worker_is_killed(
    undisturbed: dict[str, pl.DataFrame], mortals: str, tmp_path: Path, done: str, writing: str
) -> None:
    home = workspace(tmp_path)
    died = tmp_path / "died"
    with Client(mortals, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=LONG_SECONDS)
        client.register_plugin(Killer(died, done=done, writing=writing))
        night = build(home, publish_night(home, 0), mortals, rows_per_task=ROWS_PER_TASK)
        client.unregister_worker_plugin(Killer.name)
    assert died.exists(), "nobody was killed"
    assert_equal(rows(home, night), undisturbed)
    assert sum(map(len, orphans(home).values())) <= 1, "more than the one file in hand was left"


def test_a_night_that_lost_every_worker_says_so_and_is_finished_by_a_rerun(
    undisturbed: dict[str, pl.DataFrame], mortals: str, tmp_path: Path
) -> None:
    home = workspace(tmp_path)
    validated = publish_night(home, 0)
    alone = ClusterConfig(workers=1, memory_limit="1GiB", dashboard_port=0, wait_seconds=30)
    with dask_cluster(alone) as lonely, Client(lonely, set_as_default=False) as client:
        (nanny,) = client.run(os.getppid).values()
        client.register_plugin(Killer(tmp_path / "died", writing="/examples/"))
        os.kill(nanny, signal.SIGSTOP)  # it starts no other worker
        with pytest.raises(NoWorkerError, match="without any running workers"):
            build(home, validated, lonely, rows_per_task=ROWS_PER_TASK)
        os.kill(nanny, signal.SIGKILL)
    assert [getattr(Tables(home.tables), name).version() for name in COMMITS] == [0, 0, None, None]
    assert_equal(rows(home, build(home, validated, mortals, rows_per_task=ROWS_PER_TASK)), undisturbed)
