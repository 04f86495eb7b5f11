"""Memory that was not enough: torch says so, or the kernel kills a process, and counts that it did."""

from __future__ import annotations

import os
from pathlib import Path

import torch

ADVICE = (
    "Lower model.fit.batch_size, or raise model.fit.accumulate, or set model.fit.activation_checkpointing, or take "
    "fewer train.parallelism.processes_per_node."
)
MOST_KILLS = 3
"""Under one agent: so many are no accident."""
_KILLS_BEFORE = "NIGHTSHIFT_OOM_KILLS"


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether it is that; on a CPU, torch has no error of its own for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes the kernel has killed for lack of memory; 0 where it does not say.

    Those of this process's control group are counted, whatever ran out, its limit or the host's memory. Where groups
    are not of version 2, it is those of the whole host.

    Source:
        Linux, Documentation/admin-guide/cgroup-v2.rst, memory.events; ``/proc/vmstat``, oom_kill.
    """
    return next((count for file in _counters(root) if (count := _count(file)) is not None), 0)


def _counters(root: Path) -> list[Path]:
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        groups = []
    own = [line.removeprefix("0::/") for line in groups if line.startswith("0::/")]
    return [*(root / "sys/fs/cgroup" / path / "memory.events" for path in own), root / "proc/vmstat"]


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def count_from_here() -> None:
    """Have `killed` count from now on, in the processes started by this one too."""
    os.environ[_KILLS_BEFORE] = str(oom_kills())


def killed() -> int:
    """Return how many processes were killed for lack of memory since `count_from_here`."""
    now = oom_kills()
    return now - int(os.environ.get(_KILLS_BEFORE, now))


def said(kills: int) -> str:
    """Say that the kernel killed so many."""
    return (
        f"the kernel killed {kills} process{'es' if kills > 1 else ''} of this host for lack of memory since the "
        "training began here."
    )
