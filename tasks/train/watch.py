"""What a training's driver looks at, again and again: hosts, a sign of life, and whether there is hope."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from distributed import Client

from data_contracts.job import FitJob, Heartbeat, read
from tasks.job import LOG
from tasks.train.agent import AGENTS, failures

GAVE_UP, TIMED_OUT = "ChildFailedError", "RendezvousTimeoutError"
"""What torchelastic says once its ranks ended more often than ``max_restarts``; when too few agents came."""


def workers_by_host(client: Client) -> dict[str, list[str]]:
    """Return the addresses of each host's workers, by the host's."""
    found: dict[str, list[str]] = {}
    for worker in sorted(client.scheduler_info(n_workers=-1)["workers"]):
        found.setdefault(str(urlsplit(worker).hostname), []).append(worker)
    return found


def heartbeat_in(file: Path) -> Heartbeat | None:
    """Return how far the training is; None when there is no sign of it yet."""
    try:
        return read(file, Heartbeat)
    except (FileNotFoundError, ValueError):
        return None


def hopeless(job: FitJob, host: str, code: int, absent: Sequence[str]) -> str:
    """Say why a training would fail again; nothing while there is hope.

    Args:
        job: What is trained.
        host: Of the agent that ended.
        code: Its exit code.
        absent: Hosts whose agents did not begin.
    """
    folder, parallelism = Path(job.run_folder), job.parallelism
    said = (folder / AGENTS / host / LOG).read_text(encoding="utf-8", errors="replace")
    if reasons := failures(folder):
        return "\n".join(reasons)
    if absent and TIMED_OUT in said:
        return (
            f"hosts whose Dask worker is busy with something else, or hangs: {', '.join(absent)}; waited "
            f"{parallelism.join_seconds} s (train.parallelism.join_seconds) for {parallelism.min_nodes} hosts. Start "
            "the night again once they are free."
        )
    return too_often(job, host) if code > 0 and GAVE_UP in said else ""


def too_often(job: FitJob, host: str) -> str:
    """Say that processes ended more often than they may."""
    return (
        f"processes ended more than max_restarts ({job.parallelism.max_restarts}) times, the last on {host}. If they "
        "were killed (SIGKILL), and nobody did it, there was no memory left: lower model.fit.batch_size."
    )
