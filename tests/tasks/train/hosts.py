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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import psutil

from data_contracts.job import LEDGER, RESULT, FitJob, FitResult, read
from data_contracts.process import COMMAND
from models.audit import Account, account
from models.ledger import starts_in
from tasks.train.gang import fit_on_cluster
from tasks.worker import environment
from tests.patience import END_SECONDS, LONG_SECONDS, patient

RANK = "rank"
"""How the names of ranks begin."""
Place = Sequence[str]
"""Words before a command: where it runs."""


@dataclass
class Hosts:
    """A scheduler, a process, and workers on each host; hosts come and go."""

    scheduler: str
    process: psutil.Process
    said: SimpleQueue[str]
    places: Mapping[str, Place]
    flags: Sequence[str] = ()
    workers: dict[str, list[subprocess.Popen[bytes]]] = field(default_factory=dict)

    def come(self, *addresses: str) -> None:
        """Start a worker on each of these hosts, and wait until the scheduler knows them."""
        for address in addresses:
            command = [*self.places.get(address, ()), sys.executable, "-m", "dask", "worker", self.scheduler]
            options = [*self.flags, "--host", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
            worker = subprocess.Popen(
                [*command, *options], env={**os.environ, **environment()}, stderr=subprocess.DEVNULL
            )
            self.workers.setdefault(address, []).append(worker)
        for _ in addresses:
            _next(self.said, "Register worker")

    def go(self, address: str) -> None:
        """Kill the workers of a host, and so all that runs there."""
        for worker in self.workers.pop(address):
            worker.kill()
            worker.wait()


@contextmanager
def hosts(
    *addresses: str,
    scheduler_host: str = "127.0.0.1",
    places: Mapping[str, Place] | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Hosts]:
    """Run a cluster with these hosts, and end it; scheduler and workers are told ``flags``, too."""
    places = places or {}
    command = [*places.get(scheduler_host, ()), sys.executable, "-m", "dask", "scheduler", "--host", scheduler_host]
    process = subprocess.Popen(
        [*command, *flags, "--port", "0", "--no-dashboard"],
        env={**os.environ, **environment()},
        stderr=subprocess.PIPE,
        text=True,
    )
    said: SimpleQueue[str] = SimpleQueue()
    listener = threading.Thread(target=_listen, args=(process.stderr, said))
    listener.start()
    made = Hosts("", psutil.Process(process.pid), said, places, flags)
    try:
        made.scheduler = _next(said, "Scheduler at:").split()[-1]
        made.come(*addresses)
        yield made
    finally:
        for address in list(made.workers):
            made.go(address)
        process.terminate()
        process.wait()
        listener.join()


@contextmanager
def little_memory(megabytes: int) -> Iterator[Place]:
    """Make a control group with so little memory: whoever needs more is killed by the kernel. As root."""
    root = Path("/sys/fs/cgroup")
    unified = (root / "cgroup.controllers").exists()
    group = (root if unified else root / "memory") / f"nightshift-test-{os.getpid()}"
    group.mkdir()
    (group / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(megabytes << 20))
    try:
        yield ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
    finally:
        while (group / "cgroup.procs").read_text():
            time.sleep(0.1)
        group.rmdir()


def _listen(lines: IO[str], said: SimpleQueue[str]) -> None:
    with lines:
        for line in lines:
            said.put(line)


def _next(said: SimpleQueue[str], words: str) -> str:
    """Wait for a line with these words."""
    while words not in (line := said.get(timeout=LONG_SECONDS)):
        pass
    return line


@dataclass
class Training:
    """A training that goes on while something is done to it.

    Attributes:
        place: Where its driver runs, a process of its own (``env``: here); in this process when empty.
    """

    cluster: str
    job: FitJob
    place: Place = ()
    lines: list[str] = field(default_factory=list)
    _held: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._run = ThreadPoolExecutor(1).submit(self._drive)

    def _drive(self) -> FitResult:
        if not self.place:
            return fit_on_cluster(self.cluster, self.job, self.lines.append)
        command = [*self.place, *COMMAND, "tests.tasks.train.driver"]
        arguments = [self.cluster, self.job.model_dump_json()]
        with subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as run:
            assert run.stdout is not None
            self.lines.extend(line.rstrip() for line in run.stdout)
        assert run.returncode == 0, self.lines[-20:]
        return read(Path(self.job.run_folder) / RESULT, FitResult)

    def account(self) -> Account:
        """Read its ledger."""
        return account(Path(self.job.run_folder) / LEDGER)

    def at(self, step: int, *, starts: int = 1) -> None:
        """Wait until it has done a step, in as many starts at least."""

        def there() -> bool:
            found = self.account()
            return found.starts >= starts and max(found.steps, default=-1) >= step

        self.until(there)

    def together(self, processes: int, *, after: int = 0) -> int:
        """Wait until so many processes train together, in a start later than ``after``; return that start's number.

        Fewer are held: they might come to the end before a host does.
        """

        def there() -> bool:
            starts = starts_in(Path(self.job.run_folder) / LEDGER)
            newest = max(starts, default=0)
            if len(starts.get(newest, ())) < processes:
                self.hold()
            return newest > after and len(starts[newest]) == processes

        self.until(there)
        for rank in self._held:
            with suppress(psutil.NoSuchProcess):
                rank.resume()
        return max(starts_in(Path(self.job.run_folder) / LEDGER))

    def hold(self) -> None:
        """Have the ranks that train stand still until more train `together`: agents kill them to start those."""
        ledger = str(Path(self.job.run_folder) / LEDGER)
        for rank in self.ranks():
            with suppress(psutil.NoSuchProcess):
                if any(file.path.startswith(ledger) for file in rank.open_files()):
                    rank.suspend()
                    self._held.append(rank)

    def until(self, condition: Callable[[], bool], seconds: float = LONG_SECONDS) -> None:
        """Wait for something that the training is to do."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert not self._run.done(), (self._run.exception(), self.lines[-20:])
            assert time.monotonic() < deadline, self.lines[-20:]
            time.sleep(0.05)

    @property
    def ended(self) -> bool:
        return self._run.done()

    def end(self, seconds: float = LONG_SECONDS) -> FitResult:
        """Wait for its end."""
        return self._run.result(seconds)

    def processes(self, module: str) -> list[psutil.Process]:
        """Return what runs ``module`` for this training, oldest first."""
        return [process for process in self._processes(module) if not process.info["name"].startswith(RANK)]

    def ranks(self) -> list[psutil.Process]:
        """Return its ranks: forks of agents, with a name of their own."""
        return [process for process in self._processes("models.agent") if process.info["name"].startswith(RANK)]

    def everything(self) -> list[psutil.Process]:
        """Return all that runs for it: driver, store, agents and ranks."""
        return self.processes("data_contracts.process") + self.ranks()

    def is_gone(self) -> bool:
        """Wait a while until nothing runs for it any more, and say whether that came."""
        _, left = psutil.wait_procs(self.everything(), timeout=patient(END_SECONDS))
        return not left

    def _processes(self, module: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline", "create_time", "name"]):
            command = process.info["cmdline"] or []
            if self.job.run_folder in " ".join(command) and module in command[:5]:
                found.append(process)
        return sorted(found, key=lambda each: each.info["create_time"])


def kill(process: psutil.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
