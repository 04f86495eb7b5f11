from __future__ import annotations

import asyncio
import subprocess
import sys

import psutil
import pytest
from distributed import Status

from tasks.worker import MortalWorker
from tests.patience import END_SECONDS, patient

OWNER = """
import time
from distributed import Client
from tasks.cluster import ClusterConfig, dask_cluster

with dask_cluster(ClusterConfig(workers=2, memory_limit="1GiB", dashboard_port=0)) as address:
    with Client(address, set_as_default=False) as client:
        client.submit(time.sleep, 60)
        print("at work", flush=True)
        time.sleep(60)
"""


def test_workers_die_with_the_process_that_opened_the_cluster_even_at_work() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "at work\n"
    started = psutil.Process(owner.pid).children(recursive=True)
    assert len(started) >= 4, "two workers, each under its nanny"
    owner.kill()
    owner.wait()
    owner.stdout.close()
    _, left = psutil.wait_procs(started, timeout=patient(END_SECONDS))
    assert not left


def test_a_worker_that_is_gone_a_moment_before_it_is_ended_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process has died, and nobody here has heard of it yet."""
    looked: list[int] = []

    class Process(psutil.Process):
        def __init__(self, pid: int) -> None:
            looked.append(pid)
            if len(looked) == 1:
                raise psutil.NoSuchProcess(pid)
            super().__init__(pid)

    async def close() -> MortalWorker:
        worker = MortalWorker("tcp://127.0.0.1:1")
        worker.process = await asyncio.create_subprocess_exec("sleep", "60", stdout=asyncio.subprocess.PIPE)
        monkeypatch.setattr("distributed.deploy.subprocess.psutil.Process", Process)
        await worker.close()
        return worker

    worker = asyncio.run(close())
    assert (worker.process, worker.status) == (None, Status.closed)
    assert len(looked) >= 2
    assert not psutil.pid_exists(looked[0])
