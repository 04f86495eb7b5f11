from __future__ import annotations

import subprocess
import sys

import psutil

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
