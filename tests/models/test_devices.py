from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from dask.system import CPU_COUNT
from pydantic import JsonValue

from data_contracts.job import DEVICES, JOB, Devices, FitJob, commit, read
from data_contracts.parallelism import ParallelismConfig
from data_contracts.process import COMMAND
from models.devices import devices, idle
from tasks.train.agent import failures, launcher
from tests.integration.nights import FAULTS
from tests.models.lab import Lab
from tests.patience import LONG_SECONDS

CONFIG: dict[str, JsonValue] = {"network": {"width": 16, "blocks": 1}, "fit": {"max_epochs": 1}}


def found(asked: int | None, gpus: int, cores: int = 6) -> Devices:
    return devices(ParallelismConfig(processes_per_node=asked), "10.0.0.1", gpus=gpus, cores=cores)


@pytest.mark.parametrize(
    ("asked", "gpus", "processes"), [(None, 0, 6), (None, 1, 1), (None, 8, 8), (3, 0, 3), (3, 4, 3)]
)
def test_each_gpu_has_a_process_and_else_each_core(asked: int | None, gpus: int, processes: int) -> None:
    assert found(asked, gpus) == Devices(gpus=gpus, processes=processes)


def test_threads_of_a_process_are_cores_of_its_own() -> None:
    for threads, processes in ((1, 8), (3, 2), (16, 1)):
        config = ParallelismConfig(threads_per_process=threads)
        assert devices(config, "here", gpus=0, cores=8).processes == processes


def test_gpus_that_stay_idle_are_named() -> None:
    assert idle(found(3, 4), "10.0.0.1").startswith("host 10.0.0.1 has 4 GPUs, and 1 of them stay idle: ")
    assert not idle(found(4, 4), "10.0.0.1") + idle(found(4, 0), "10.0.0.1")


def test_more_processes_than_gpus_are_refused_instead_of_taken_to_cores() -> None:
    with pytest.raises(ValueError, match=r"node is 2, and host 10\.0\.0\.1 has 1 GPU: .* Set 1, or null for one"):
        found(2, 1)


def test_what_the_machine_says_is_checked_with_all_the_rest() -> None:
    piped = ParallelismConfig.model_validate({"strategy": "pipeline", "pipeline_stages": 4})
    assert devices(piped, "here", gpus=0, cores=8).processes == 8
    with pytest.raises(ValueError, match=r"stages \(4\) must divide the world size \(6 = 1 nodes x 6 processes\)"):
        devices(piped, "here", gpus=0, cores=6)


def agent(job: FitJob, *, gpus: int) -> subprocess.CompletedProcess[str]:
    """Train under an agent of this machine that counts so many GPUs."""
    file = Path(job.run_folder) / JOB
    file.parent.mkdir()
    commit(job, file)
    return subprocess.run(
        [*COMMAND, *launcher(job.parallelism), "models.fit", str(file)],
        env={**os.environ, "PYTHONPATH": str(FAULTS), "FAULT_GPUS": str(gpus)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONG_SECONDS,
        check=False,
    )


def on(lab: Lab, name: str, parallelism: dict[str, object]) -> FitJob:
    update = {"parallelism": ParallelismConfig.model_validate({"max_restarts": 0} | parallelism)}
    return lab.job(name, 1, CONFIG).model_copy(update=update)


def test_a_host_without_gpus_trains_on_each_of_its_cores(lab: Lab) -> None:
    job = on(lab, "by-default", {})
    said = agent(job, gpus=0)
    assert said.returncode == 0, said.stdout
    assert f"hosts: 1, processes on each: {CPU_COUNT}, all on CPUs" in said.stdout
    assert read(Path(job.run_folder) / DEVICES / "localhost.json", Devices) == Devices(gpus=0, processes=CPU_COUNT)


def test_two_processes_on_one_gpu_are_refused_before_any_of_them_starts(lab: Lab) -> None:
    job = on(lab, "one-gpu", {"processes_per_node": 2})
    said = agent(job, gpus=1)
    assert said.returncode == 1
    assert failures(Path(job.run_folder)) == (said.stdout.strip(),)
    assert said.stdout.startswith("train.parallelism.processes_per_node is 2, and host localhost has 1 GPU: ")


@pytest.mark.drill
def test_idle_gpus_are_said_when_a_training_begins(lab: Lab) -> None:
    said = agent(on(lab, "idle", {"processes_per_node": 1}), gpus=2)
    assert said.stdout.startswith("host localhost has 2 GPUs, and 1 of them stay idle: "), said.stdout
    assert said.returncode, "this machine has no GPU, and nothing goes on without it on its cores"
