from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client, get_worker

from data_contracts.job import FitJob, TablesAt, Validation
from data_contracts.parallelism import ParallelismConfig
from tasks.job import JobFailedError, run_job
from tasks.train.agent import AGENTS, is_wanted, launcher
from tasks.train.gang import fit_on_cluster
from tests.patience import LONG_SECONDS
from tests.tasks.sample_job import SampleJob, SampleResult


def test_ranks_are_started_by_an_agent_that_dies_with_its_starter() -> None:
    command = launcher(ParallelismConfig(processes_per_node=3))
    assert command[0] == "models.agent"
    assert "--nproc-per-node=3" in command


def sleep_as_a_job(folder: str, key: str) -> str:
    worker = get_worker()
    try:
        run_job(
            "tests.tasks.sample_job",
            SampleJob(folder=folder, seconds=60),
            Path(folder) / "job",
            SampleResult,
            wanted=lambda: is_wanted(worker, key),
        )
    except JobFailedError:
        (Path(folder) / "ended").touch()
        raise
    return "slept"


def test_a_job_ends_when_its_task_is_cancelled(cluster: str, tmp_path: Path) -> None:
    with Client(cluster, set_as_default=False) as client:
        future = client.submit(sleep_as_a_job, str(tmp_path), "sleeper", key="sleeper", pure=False)
        until((tmp_path / "runs").exists)
        future.cancel()
        until((tmp_path / "ended").exists)
    assert not psutil.pid_exists(int((tmp_path / "runs").read_text()))


def job_in(folder: Path, parallelism: ParallelismConfig) -> FitJob:
    return FitJob(
        use_case="recommender",
        run_folder=str(folder),
        tables=TablesAt(folder="", versions={}),
        windows=(),
        known_windows=(),
        validation=Validation(window=""),
        parallelism=parallelism,
        config={},
        features={},
        tracking_uri="",
        run_id="",
    )


def test_a_port_that_is_taken_is_said_with_what_to_set(cluster: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = rf"cannot meet at 127\.0\.0\.1, port {port}: Address already in use.*rendezvous_port to a free one"
        with pytest.raises(JobFailedError, match=said):
            fit_on_cluster(cluster, job_in(tmp_path, ParallelismConfig(rendezvous_port=port)), lambda _: None)


def test_hosts_that_never_come_are_said_after_a_while(cluster: str, tmp_path: Path) -> None:
    job = job_in(tmp_path, ParallelismConfig(min_nodes=2, max_nodes=2, join_seconds=2))
    with pytest.raises(JobFailedError, match=r"hosts with Dask workers: 127\.0\.0\.1; wanted 2 of them .* waited 2 s"):
        fit_on_cluster(cluster, job, lambda _: None)


def test_a_host_on_which_no_agent_can_be_started_is_not_tried_for_ever(cluster: str, tmp_path: Path) -> None:
    (tmp_path / AGENTS).mkdir()
    (tmp_path / AGENTS / "127.0.0.1").write_text("in the way of its folder")
    job = job_in(tmp_path, ParallelismConfig(max_restarts=1))
    lines: list[str] = []
    with pytest.raises(JobFailedError, match=r"on host 127\.0\.0\.1: FileExistsError: "):
        fit_on_cluster(cluster, job, lines.append)
    assert len(lines) == 1, lines


def until(condition: object, seconds: float = LONG_SECONDS) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
