"""Where the agents of one training meet, and by which of its network's interfaces a host finds the others."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_INET
from urllib.parse import urlsplit

import psutil
from distributed.utils import get_ip

from data_contracts.job import JOB, RESULT, RendezvousJob, RendezvousResult, commit, read
from data_contracts.process import COMMAND, STARTER
from tasks.job import LOG, JobFailedError, end, failure

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0


def own_address(cluster: str) -> str:
    """Return the address of this host that the cluster's hosts see."""
    target = urlsplit(cluster)
    return LOOPBACK if str(target.hostname).startswith("127.") else str(get_ip(target.hostname, target.port))


@contextmanager
def rendezvous(folder: Path, host: str, port: int) -> Iterator[Callable[[], str]]:
    """Let agents meet: yield what gives the endpoint of a store in a process of its own, started again if it is gone.

    Raises:
        JobFailedError: When asked: it cannot listen there.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def endpoint() -> str:
        if not processes or processes[-1].poll() is not None:
            (folder / RESULT).unlink(missing_ok=True)
            processes.append(_started(folder, RendezvousJob(host=host, port=port)))
            _wait(processes[-1], folder)
        return read(folder / RESULT, RendezvousResult).endpoint

    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield endpoint
    finally:
        for process in processes:
            end(process)


def _started(folder: Path, job: RendezvousJob) -> subprocess.Popen[bytes]:
    commit(job, folder / JOB)
    command = [*COMMAND, "models.rendezvous", str(folder / JOB)]
    with (folder / LOG).open("a", encoding="utf-8") as log:
        environment = {**os.environ, STARTER: str(os.getpid())}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (folder / RESULT).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise JobFailedError(failure("models.rendezvous", process.poll() or 0, folder / LOG))
        time.sleep(0.1)


def environment(host: str) -> dict[str, str]:
    """Return the variables by which the processes of a host find the others."""
    return {
        "GLOO_SOCKET_IFNAME": _interface(host),
        "NCCL_SOCKET_IFNAME": _interface(host),
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # else all ranks meet in the first agent, which may be gone
    }


def _interface(host: str) -> str:
    """Return the name of the network interface with an address.

    Raises:
        JobFailedError: There is none.
    """
    if host.startswith("127."):
        return "lo"
    addresses = psutil.net_if_addrs()
    for name, own in addresses.items():
        if any(each.address == host for each in own):
            return str(name)
    known = ", ".join(sorted(each.address for own in addresses.values() for each in own if each.family == AF_INET))
    raise JobFailedError(
        f"no network interface of this host has the address {host}, by which Dask knows its worker; it has {known}. "
        "Start the worker with --host and one of them."
    )
