"""A training on the Dask cluster: an agent (torchelastic) on each host, and its ranks under it.

An agent starts ranks again that were killed, and has all of them meet anew when a host came. What it cannot know is
done here: agents that ended are started again, lost hosts are done without, new ones are taken.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from distributed import Client, Future

from data_contracts.job import DEVICES, FAILURES, HEARTBEAT, JOB, RESULT, FitJob, FitResult, Heartbeat, commit, read
from data_contracts.parameter_server import Seat
from tasks.full_disk import require_room
from tasks.job import LOG, JobFailedError, JobRunningError, answered, failure
from tasks.lock import LOCK, locked
from tasks.train.agent import AGENTS, LOCK_SECONDS, call, is_at, run_agent
from tasks.train.hosts import ANSWER_SECONDS, Hosts
from tasks.train.meeting import own_address, rendezvous
from tasks.train.shards import dealt
from tasks.train.watch import heartbeat_in, hopeless, too_few, too_often, unequal

RENDEZVOUS = "rendezvous"
"""In a training's folder: of the store where agents meet."""
POLL_SECONDS = 0.5
END_SECONDS = 30.0

OnLine = Callable[[str], None]
OnHeartbeat = Callable[[Heartbeat], None]


def fit_on_cluster(cluster: str, job: FitJob, on_line: OnLine, on_heartbeat: OnHeartbeat = lambda _: None) -> FitResult:
    """Train on hosts of the cluster and wait; the work ends when nobody waits for it any more.

    Args:
        cluster: Dask scheduler's address.
        job: Its ``run_folder`` is seen by every host.
        on_line: Is told every line that the processes write.
        on_heartbeat: Is told how far the training is.

    Raises:
        JobFailedError: The training failed, or too few hosts came.
        JobRunningError: Somebody else trains in the run's folder.
        OSError: The disk is full.
    """
    folder = Path(job.run_folder)
    with locked(folder / LOCK, "a training", seconds=LOCK_SECONDS, error=JobRunningError):
        result = answered(job, folder, FitResult)
        if result is not None:
            return result
        for name in (RESULT, HEARTBEAT):
            (folder / name).unlink(missing_ok=True)
        for name in (FAILURES, DEVICES):
            shutil.rmtree(folder / name, ignore_errors=True)
        commit(job, folder / JOB)
        topic = f"fit-{uuid4().hex}"
        with Client(cluster, set_as_default=False) as client:
            client.subscribe_topic(topic, lambda event: on_line(event[1]))
            port = job.parallelism.rendezvous_port
            with rendezvous(folder / RENDEZVOUS, own_address(cluster), port) as endpoint:
                gang = _Gang(client, job, endpoint, topic, on_line)
                try:
                    gang.follow(on_heartbeat)
                finally:
                    gang.end()
            client.unsubscribe_topic(topic)
        return read(folder / RESULT, FitResult)


@dataclass
class _Agent:
    """An agent, and the address of the Dask worker that it is a task of."""

    worker: str
    task: Future[int]


@dataclass
class _Gang:
    """The agents of one training, by host."""

    client: Client
    job: FitJob
    endpoint: Callable[[], str]
    topic: str
    on_line: OnLine
    agents: dict[str, _Agent] = field(default_factory=dict)
    restarts: int = 0

    def __post_init__(self) -> None:
        self.folder = Path(self.job.run_folder)
        self.hosts = Hosts(self.client, self.on_line)
        self.shards: dict[str, tuple[Seat, ...]] = {}

    def follow(self, on_heartbeat: OnHeartbeat) -> None:
        """Keep agents on as many hosts as are there and wanted, until there is a result."""
        parallelism = self.job.parallelism
        told, short, looked = None, 0.0, time.monotonic()
        self._meet()
        while not (self.folder / RESULT).exists():
            require_room(self.folder)
            there = self.hosts.ask()
            now = time.monotonic()
            if there is not None:  # a scheduler that does not answer gives agents to nobody: that time does not count
                away = self._tend(there)
                short = 0.0 if len(self.agents) - len(away) >= parallelism.min_nodes else short + now - looked
                if short > parallelism.join_seconds:
                    raise JobFailedError(too_few(parallelism, sorted(there), away))
            looked = now
            heartbeat = heartbeat_in(self.folder / HEARTBEAT)
            if heartbeat is not None and heartbeat != told:
                on_heartbeat(heartbeat)
                told = heartbeat
            time.sleep(POLL_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        while not all(agent.task.done() for agent in self.agents.values()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)  # the last processes are on their way out

    def _tend(self, there: Mapping[str, Sequence[str]]) -> list[str]:
        """Look after agents, start those that are wanted, and return the hosts that did not begin theirs yet."""
        self._look_after()
        if not self.agents:
            self.shards = dealt(self.job.parallelism, list(there)[: self.job.parallelism.max_nodes])
        for host, workers in there.items():
            if host not in self.agents and len(self.agents) < self.job.parallelism.max_nodes:
                self._start(host, workers[0])
        return [host for host in self.agents if not is_at(self.meeting, self.folder / AGENTS / host)]

    def _look_after(self) -> None:
        """Do without lost hosts, and start agents that ended again.

        Raises:
            JobFailedError: It would fail again, or failed too often.
        """
        if why := unequal(self.folder, list(self.agents)):
            raise JobFailedError(why)
        for host, agent in self.agents.items():
            if agent.worker not in self.hosts.present or agent.task.status == "lost":
                self._meet(f"host {host} is lost")
                return
            if agent.task.status == "cancelled":
                self._meet("Dask's scheduler was lost, and what it was asked for with it")
                return
            if agent.task.done() and not (self.folder / RESULT).exists():
                self._after(host, agent.task)
                return

    def _after(self, host: str, task: Future[int]) -> None:
        """Go on after an agent that ended without a result.

        Raises:
            JobFailedError: There is no point in it.
        """
        error = task.exception()
        if error is not None:
            self.restarts += 1
            what = f"no agent can be started on host {host}: {type(error).__name__}: {error}"
            if self.restarts > self.job.parallelism.max_restarts:
                raise JobFailedError(f"{what}. Mend its cause, or take the host's Dask worker away.") from error
            self._meet(what)
            return
        try:
            code = task.result(ANSWER_SECONDS)
        except TimeoutError:  # its worker went meanwhile, or Dask is slow: the next look tells
            return
        self.restarts += 1
        why = hopeless(self.job, host, code)
        if why or self.restarts > self.job.parallelism.max_restarts:
            last = failure("models.fit", code, self.folder / AGENTS / host / LOG)
            raise JobFailedError(f"{why or too_often(self.job, host)}\n{last}")
        if code < 0 and not self.shards.get(host):
            del self.agents[host]
            self.on_line(f"the agent on {host} was killed (signal {-code}), and is started again")
        else:  # it has closed the meeting for all, or shards ended with it
            self._meet(f"the agent on {host} ended with exit code {code}")

    def _start(self, host: str, worker: str) -> None:
        place = f"{host}-{uuid4().hex}"
        (self.folder / DEVICES / f"{host}.json").unlink(missing_ok=True)  # what it said the last time
        task = self.client.submit(
            run_agent, self.job, self.endpoint(), self.meeting, host, self.topic, self.shards.get(host, ()),
            key=place, pure=False, workers=[worker], allow_other_workers=False,
        )  # fmt: skip
        self.agents[host] = _Agent(worker, task)

    def _meet(self, why: str = "") -> None:
        """Call a meeting; agents of an earlier one end. One that is cut off would go on, a second training."""
        if why:
            self.on_line(f"{why}: all meet anew, and go on from the last checkpoint")
        self.end()
        self.meeting = uuid4().hex
        call(self.meeting, self.folder / AGENTS)

    def end(self) -> None:
        """Have every agent ended; each asks by itself whether it is still wanted, and reads so where it cannot ask."""
        if self.client.scheduler is not None:
            for agent in self.agents.values():
                agent.task.cancel()
        self.agents.clear()
        call("none", self.folder / AGENTS)  # last: on a full disk it fails
