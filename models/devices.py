"""What a host trains on: its GPUs, each by a process of its own, or else its cores."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from data_contracts.job import Devices
from data_contracts.parallelism import ParallelismConfig


def count_gpus() -> int:
    """Return how many GPUs this process may use; a fork looks, since no fork could use them after its parent did."""
    with ProcessPoolExecutor(1, get_context("fork")) as apart:
        return apart.submit(_count).result()


def _count() -> int:
    return torch.cuda.device_count()


def devices(parallelism: ParallelismConfig, host: str, *, gpus: int, cores: int) -> Devices:
    """Decide what a host trains on.

    Args:
        parallelism: The training's.
        host: Its address, for people.
        gpus: That it has.
        cores: That its processes may use.

    Raises:
        ValueError: Its processes do not go with its GPUs, or with the rest of the settings.
    """
    processes = parallelism.processes_per_node or gpus or max(cores // parallelism.threads_per_process, 1)
    if gpus and processes > gpus:
        raise ValueError(
            f"train.parallelism.processes_per_node is {processes}, and host {host} has {_gpus(gpus)}: each process "
            f"needs one of its own. Set {gpus}, or null for one process on each GPU. To train on cores, start the "
            "host's Dask worker with CUDA_VISIBLE_DEVICES= (empty)."
        )
    parallelism.with_processes(processes)
    return Devices(gpus=gpus, processes=processes)


def idle(found: Devices, host: str) -> str:
    """Say which GPUs of a host train nothing; nothing when all do."""
    if found.gpus <= found.processes:
        return ""
    return (
        f"host {host} has {_gpus(found.gpus)}, and {found.gpus - found.processes} of them stay idle: "
        f"train.parallelism.processes_per_node is {found.processes}. Set {found.gpus}, or null."
    )


def _gpus(number: int) -> str:
    return f"{number} GPU{'s' if number > 1 else ''}"
