from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.job import JobFailedError, JobRunningError, run_job
from tests.patience import LONG_SECONDS
from tests.tasks.sample_job import SampleJob, SampleResult

MODULE = "tests.tasks.sample_job"


def test_a_job_answers_and_its_log_is_followed(tmp_path: Path) -> None:
    lines: list[str] = []
    job = SampleJob(folder=str(tmp_path), lines=("one", "two"))
    environment = {"OMP_NUM_THREADS": "3"}
    result = run_job(MODULE, job, tmp_path / "job", SampleResult, environment=environment, on_line=lines.append)
    assert result == SampleResult(runs=1, threads="3")
    assert lines == ["INFO sample: one", "INFO sample: two"]


def test_an_equal_job_is_answered_without_running_again_and_another_one_runs(tmp_path: Path) -> None:
    job = SampleJob(folder=str(tmp_path))
    for _ in range(2):
        assert run_job(MODULE, job, tmp_path / "job", SampleResult).runs == 1
    other = SampleJob(folder=str(tmp_path), lines=("changed",))
    assert run_job(MODULE, other, tmp_path / "job", SampleResult).runs == 2


@pytest.mark.parametrize("file", ["job.json", "result.json"])
def test_what_older_code_left_is_no_answer(tmp_path: Path, file: str) -> None:
    job = SampleJob(folder=str(tmp_path))
    run_job(MODULE, job, tmp_path / "job", SampleResult)
    (tmp_path / "job" / file).write_text('{"of": "older code"}')
    assert run_job(MODULE, job, tmp_path / "job", SampleResult).runs == 2


def test_a_failed_job_names_itself_its_code_and_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(JobFailedError, match=r"(?s)'tests.tasks.sample_job'.*exit code 1.*log.txt.*the sample broke"):
        run_job(MODULE, SampleJob(folder=str(tmp_path), fails=True), tmp_path / "job", SampleResult)


def test_a_job_that_ends_well_without_a_result_has_failed(tmp_path: Path) -> None:
    with pytest.raises(JobFailedError, match="exit code 0 and no result"):
        run_job(MODULE, SampleJob(folder=str(tmp_path), silent=True), tmp_path / "job", SampleResult)


def test_a_failed_job_runs_again(tmp_path: Path) -> None:
    job = SampleJob(folder=str(tmp_path), fails=True)
    for _ in range(2):
        with pytest.raises(JobFailedError):
            run_job(MODULE, job, tmp_path / "job", SampleResult)
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_a_job_no_longer_wanted_is_ended(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(JobFailedError):
        run_job(
            MODULE,
            SampleJob(folder=str(tmp_path), seconds=60),
            tmp_path / "job",
            SampleResult,
            wanted=lambda: not runs.exists(),
        )
    assert not psutil.pid_exists(int(runs.read_text()))


@pytest.fixture
def owner(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that runs a job of a minute, seen at work."""
    command = (
        "import sys, pathlib; from tasks.job import run_job; from tests.tasks.sample_job import *; "
        "folder = pathlib.Path(sys.argv[1]); "
        f"run_job({MODULE!r}, SampleJob(folder=str(folder), seconds=60), folder / 'job', SampleResult)"
    )
    process = subprocess.Popen([sys.executable, "-c", command, str(tmp_path)])
    _until((tmp_path / "runs").exists)
    return process


def test_a_job_dies_with_its_parent(owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    job = int((tmp_path / "runs").read_text())
    assert psutil.pid_exists(job)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    _until(lambda: not psutil.pid_exists(job) or psutil.Process(job).status() == psutil.STATUS_ZOMBIE)
    assert run_job(MODULE, SampleJob(folder=str(tmp_path)), tmp_path / "job", SampleResult).runs == 2


def test_a_job_dies_with_its_parent_also_while_it_imports(tmp_path: Path) -> None:
    command = (
        "import sys, pathlib; from tasks.job import run_job; from tests.tasks.sample_job import *; "
        "run_job('tests.tasks.slow_job', SampleJob(folder=sys.argv[1]), pathlib.Path(sys.argv[1]), SampleResult)"
    )
    parent = subprocess.Popen([sys.executable, "-c", command, str(tmp_path)])
    _until((tmp_path / "importing").exists)
    job = int((tmp_path / "importing").read_text())
    parent.kill()
    parent.wait()
    _until(lambda: not psutil.pid_exists(job) or psutil.Process(job).status() == psutil.STATUS_ZOMBIE)


def test_a_folder_at_work_is_refused(owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    try:
        with pytest.raises(JobRunningError, match=r"sample_job.*process.*is at work in"):
            run_job(MODULE, SampleJob(folder=str(tmp_path)), tmp_path / "job", SampleResult, lock_seconds=0.2)
    finally:
        owner.kill()
        owner.wait()


def _until(condition: object, seconds: float = LONG_SECONDS) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
