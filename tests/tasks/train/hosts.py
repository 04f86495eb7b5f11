"""Dask clusters whose workers are hosts of their own, as far as a training can see, and trainings on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from distributed import Client

from data_contracts.job import FitJob, FitResult
from models.ledger import Account, account
from tasks.train.gang import fit_on_cluster

Place = Sequence[str]
"""Words before a command: where it runs."""


@dataclass
class Hosts:
    """A scheduler, and a worker on each host; hosts come and go."""

    scheduler: str
    places: Mapping[str, Place] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def come(self, address: str) -> None:
        """Start the worker of a host."""
        command = [*self.places.get(address, ()), sys.executable, "-m", "dask", "worker", self.scheduler]
        options = ["--host", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers[address] = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)

    def go(self, address: str) -> None:
        """Kill the worker of a host, and so all that runs there."""
        worker = self.workers.pop(address)
        worker.kill()
        worker.wait()


@contextmanager
def hosts(
    *addresses: str, scheduler_host: str = "127.0.0.1", places: Mapping[str, Place] | None = None
) -> Iterator[Hosts]:
    """Run a cluster with these hosts, and end it."""
    places = places or {}
    command = [*places.get(scheduler_host, ()), sys.executable, "-m", "dask", "scheduler", "--host", scheduler_host]
    process = subprocess.Popen([*command, "--port", "0", "--no-dashboard"], stderr=subprocess.PIPE, text=True)
    made = Hosts("", places)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Scheduler at:" in line:
                made.scheduler = line.split()[-1]
                break
        rest = threading.Thread(target=process.stderr.read, daemon=True)
        rest.start()
        for address in addresses:
            made.come(address)
        with Client(made.scheduler, set_as_default=False) as client:
            client.wait_for_workers(len(addresses), timeout=60)
        yield made
    finally:
        for worker in made.workers.values():
            worker.kill()
            worker.wait()
        process.terminate()
        process.wait()
        rest.join()
        process.stderr.close()


@dataclass
class Training:
    """A training that goes on while something is done to it."""

    cluster: str
    job: FitJob
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._run = ThreadPoolExecutor(1).submit(fit_on_cluster, self.cluster, self.job, self.lines.append)

    def account(self) -> Account:
        """Read its ledger."""
        return account(Path(self.job.run_folder) / "ledger")

    def at(self, step: int, *, starts: int = 1) -> None:
        """Wait until it has done a step, in as many starts at least."""

        def there() -> bool:
            found = self.account()
            return found.starts >= starts and max(found.steps, default=-1) >= step

        self.until(there)

    def until(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        """Wait for something that the training is to do."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert not self._run.done(), (self._run.exception(), self.lines[-20:])
            assert time.monotonic() < deadline, self.lines[-20:]
            time.sleep(0.05)

    def end(self) -> FitResult:
        """Wait for its end."""
        return self._run.result(200)

    def processes(self, module: str) -> list[psutil.Process]:
        """Return what runs ``module`` for this training, agents or ranks, oldest first."""
        found = []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            command = process.info["cmdline"] or []
            if self.job.run_folder in " ".join(command) and module in command[:5]:
                found.append(process)
        return sorted(found, key=lambda each: each.info["create_time"])


def kill(process: psutil.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
