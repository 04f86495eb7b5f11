"""What a training's driver looks at, again and again: a sign of life, and whether there is hope."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_contracts.job import DEVICES, Devices, FitJob, Heartbeat, read
from data_contracts.parallelism import ParallelismConfig
from tasks.job import LOG
from tasks.train.agent import AGENTS, failures

GAVE_UP = "ChildFailedError"
"""What torchelastic says once its ranks ended more often than ``max_restarts``."""


def heartbeat_in(file: Path) -> Heartbeat | None:
    """Return how far the training is; None when there is no sign of it yet."""
    try:
        return read(file, Heartbeat)
    except (FileNotFoundError, ValueError):
        return None


def too_few(parallelism: ParallelismConfig, hosts: Sequence[str], away: Sequence[str]) -> str:
    """Say why a training does not begin.

    Args:
        parallelism: How many hosts it needs.
        hosts: That have a Dask worker.
        away: Of these, those that were given an agent and did not begin it.
    """
    waited = (
        f"wanted {parallelism.min_nodes} of them (train.parallelism.min_nodes), waited {parallelism.join_seconds} s"
    )
    if len(hosts) >= parallelism.min_nodes:
        return (
            f"hosts whose Dask worker is busy with something else, or hangs: {', '.join(away)}; hosts with Dask "
            f"workers: {', '.join(hosts)}; {waited}. Start the night again once they are free: it goes on from here."
        )
    return (
        f"hosts with Dask workers: {', '.join(hosts) or 'none'}; {waited}. Start a worker on another host and the "
        "night again: it goes on from here. With a lower min_nodes it begins anew."
    )


def unequal(folder: Path, hosts: Sequence[str]) -> str:
    """Say why hosts cannot train together, of those that said on what they do; nothing if they can.

    Args:
        folder: The training's.
        hosts: That have an agent.
    """
    files = {host: folder / DEVICES / f"{host}.json" for host in sorted(hosts)}
    said = {host: read(file, Devices) for host, file in files.items() if file.exists()}
    if len({each.gpus > 0 for each in said.values()}) > 1:
        shown = ", ".join(f"{host} has {each.gpus or 'none'}" for host, each in said.items())
        return (
            f"hosts with and without GPUs cannot train together: {shown}. Take the Dask workers of the ones or the "
            "others away, or start all of them with CUDA_VISIBLE_DEVICES= (empty), and the night again: it goes on "
            "from here."
        )
    if len({each.processes for each in said.values()}) > 1:
        shown = ", ".join(f"{each.processes} on {host}" for host, each in said.items())
        return (
            "train.parallelism.processes_per_node is null, one process for each GPU or core, and hosts must have "
            f"equally many: {shown}. Set it, to {min(each.processes for each in said.values())} or less."
        )
    return ""


def hopeless(job: FitJob, host: str, code: int) -> str:
    """Say why a training would fail again after an agent of it ended; nothing while there is hope."""
    folder = Path(job.run_folder)
    if reasons := failures(folder):
        return "\n".join(reasons)
    log = folder / AGENTS / host / LOG
    gave_up = code > 0 and GAVE_UP in log.read_text(encoding="utf-8", errors="replace")
    return too_often(job, host) if gave_up else ""


def too_often(job: FitJob, host: str) -> str:
    """Say that processes ended more often than they may."""
    return (
        f"processes ended more than max_restarts ({job.parallelism.max_restarts}) times, the last on {host}. The "
        "kernel counted no kill for lack of memory there since its agent began. Look for who else ends them, a "
        "scheduler's limit or somebody by hand; the last lines say how they ended."
    )
