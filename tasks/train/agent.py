"""One host's part of a training: torchelastic's agent, which starts ranks, and starts them again with the others."""

from __future__ import annotations

import os
from pathlib import Path

from dask.system import CPU_COUNT
from dask.typing import Key
from distributed import Status, Worker, get_worker

from data_contracts.job import FAILURES, JOB, Failure, FitJob, read
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE, Seat
from data_contracts.process import COMMAND
from tasks.job import LOG, JobRunningError, follow
from tasks.lock import LOCK, locked
from tasks.train.meeting import environment
from tasks.train.shards import serving
from tasks.worker import POLARS_THREADS

AGENTS, RANKS, MEETING = "agents", "ranks", "meeting"
"""In a training's folder: of each host's agent, in it every rank's logs; which meeting counts, and where each is."""
LOCK_SECONDS = 15.0
"""How long the processes of a killed owner may take to go."""

RENDEZVOUS = "is_host=false,last_call_timeout=2,keep_alive_interval=2,keep_alive_max_attempt=5,heartbeat_timeout=10"
"""torchelastic's: an agent that gave no sign of life for 2 x 5 s has died; a busy host may take some seconds."""


GIVES_BACK = "MALLOC_TRIM_THRESHOLD_"
"""Set by Dask for its workers: memory goes back to the kernel at once, and each step takes it again, zeroed."""
ALONE = ("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "--rdzv-id=alone")
"""Where an agent meets nobody else."""


def launcher(parallelism: ParallelismConfig, meet: tuple[str, ...] = ALONE) -> tuple[str, ...]:
    """Return what starts a training's agent on this host: words before the module that its ranks run."""
    return (
        "models.agent",
        f"--nnodes={parallelism.min_nodes}:{parallelism.max_nodes}",
        f"--nproc-per-node={parallelism.processes_per_node or CPU_COUNT}",
        f"--max-restarts={parallelism.max_restarts}",
        *("--monitor-interval=0.2", "--shutdown-timeout=2", *meet),
    )


def tuned(threads: int) -> dict[str, str]:
    """Return the variables of a process that trains: its threads, and how it has memory for its tensors.

    glibc takes large blocks from the kernel page by page; with pages of 4 KiB a quarter of a step's time went into that
    (glibc 2.35 or later, where the kernel has transparent huge pages).
    """
    return {"OMP_NUM_THREADS": str(threads), POLARS_THREADS: str(threads), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def surroundings(host: str, threads: int, store: str) -> dict[str, str]:
    """Return the environment of an agent, its ranks and shards, from that of a worker of Dask."""
    kept = {name: value for name, value in os.environ.items() if name != GIVES_BACK}
    return {**kept, **environment(host), **tuned(threads), STORE: store}


def run_agent(job: FitJob, endpoint: str, meeting: str, host: str, topic: str, shards: tuple[Seat, ...] = ()) -> int:
    """Run an agent on this host as a task of Dask, and return its exit code; beside it, shards of rows.

    Args:
        job: What its ranks train.
        endpoint: Of the store where agents meet.
        meeting: Which they meet for; it is over once the training's folder names another.
        host: Address of this host.
        topic: Of Dask's, for the lines that it writes.
        shards: Of the parameter server, those that this host has; once they end for good, so does the agent.
    """
    worker = get_worker()
    key = worker.get_current_task()
    folder = Path(job.run_folder)
    own = folder / AGENTS / host
    meet = (
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}", f"--rdzv-id={meeting}", f"--local-addr={host}"),
        f"--rdzv-conf={RENDEZVOUS},join_timeout={job.parallelism.join_seconds}",
        *("--role=rank", "--tee=3", f"--log-dir={own / RANKS}"),
    )
    own.mkdir(parents=True, exist_ok=True)
    (own / MEETING).write_text(meeting, encoding="utf-8")
    around = surroundings(host, job.parallelism.threads_per_process, f"{endpoint}/{meeting}")

    def tell(line: str) -> None:
        worker.log_event(topic, line if job.parallelism.max_nodes == 1 else f"{host}: {line}")

    with (
        locked(own / LOCK, "an agent", seconds=LOCK_SECONDS, error=JobRunningError),
        serving(shards, host, folder, job.parallelism, around) as beside,
    ):
        code = follow(
            [*COMMAND, *launcher(job.parallelism, meet), "models.fit", str(folder / JOB)],
            own / LOG,
            around,
            tell,
            lambda: (
                is_wanted(worker, key)
                and is_at(meeting, folder / AGENTS)
                and not failures(folder)
                and not beside.lost()
            ),
        )
        if lost := beside.lost():
            tell(lost)
        return code


def failures(folder: Path) -> tuple[str, ...]:
    """Return why a training's processes failed for good; nothing while there is hope."""
    return tuple(read(file, Failure).message for file in sorted((folder / FAILURES).glob("[!.]*.json")))


def call(meeting: str, folder: Path) -> None:
    """Say in the folder of all agents, on the disk that every host sees, which meeting counts."""
    folder.mkdir(exist_ok=True)
    staged = folder / f".{MEETING}.staged"
    staged.write_text(meeting, encoding="utf-8")
    staged.replace(folder / MEETING)


def is_at(meeting: str, folder: Path) -> bool:
    """Whether a folder, of one agent or of all, says that this meeting counts; a disk that does not answer may."""
    try:
        return (folder / MEETING).read_text(encoding="utf-8") == meeting
    except FileNotFoundError:
        return False
    except OSError:
        return True


def is_wanted(worker: Worker, key: Key) -> bool:
    """Whether the scheduler still wants the task: a thread is not stopped by a cancellation, it has to ask.

    A worker that lost its scheduler is closing: it waits for the task then.
    """
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing" and worker.status in {Status.running, Status.paused}
