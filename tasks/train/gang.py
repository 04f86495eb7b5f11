"""Place a job's processes on the Dask cluster: one torchelastic agent in a task, and its ranks under it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from distributed import Client, Worker, get_worker

from data_contracts.job import FitJob, FitResult
from data_contracts.parallelism import ParallelismConfig
from tasks.job import run_job

LOOPBACK = "127.0.0.1"


def fit_on_cluster(cluster: str, job: FitJob, on_line: Callable[[str], None]) -> FitResult:
    """Train on a worker of the cluster and wait; the work ends when nobody waits for it any more.

    Args:
        cluster: Dask scheduler's address.
        job: Its ``run_folder`` is seen by the worker too.
        on_line: Is told every line that the processes write.

    Raises:
        JobFailedError: The training failed.
        JobRunningError: Somebody else trains in the run's folder.
    """
    command = launcher(job.parallelism)
    topic = f"fit-{uuid4().hex}"
    with Client(cluster, set_as_default=False) as client:
        client.subscribe_topic(topic, lambda event: on_line(event[1]))
        future = client.submit(_fit, job, command, topic, key=topic, pure=False)
        try:
            result: FitResult = future.result()
        finally:
            future.cancel()
            client.unsubscribe_topic(topic)
    return result


def launcher(parallelism: ParallelismConfig) -> tuple[str, ...]:
    """Return Python's arguments that start torchelastic's agent, so that it dies with its starter."""
    return (
        *("-m", "models.job", "torch.distributed.run"),
        f"--nproc-per-node={parallelism.processes_per_node}",
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={LOOPBACK}:0", f"--local-addr={LOOPBACK}", "--max-restarts=0"),
    )


def _fit(job: FitJob, command: tuple[str, ...], topic: str) -> FitResult:
    worker = get_worker()
    return run_job(
        "models.fit",
        job,
        Path(job.run_folder),
        FitResult,
        launcher=command,
        environment={"OMP_NUM_THREADS": str(job.parallelism.threads_per_process)},
        on_line=lambda line: worker.log_event(topic, line),
        wanted=lambda: is_wanted(worker, topic),
    )


def is_wanted(worker: Worker, key: str) -> bool:
    """Whether the scheduler still wants the task: a thread is not stopped by a cancellation, it has to ask."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"
