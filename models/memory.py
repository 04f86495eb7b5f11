"""Memory that was not enough: torch says so, or the kernel kills a process, and counts that it did."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

ADVICE = (
    "Lower model.fit.batch_size, or raise model.fit.accumulate, or set model.fit.activation_checkpointing, or take "
    "fewer train.parallelism.processes_per_node."
)
MOST_KILLS = 3
"""Under one agent: so many are no accident."""
_SAID = ("can't allocate memory", "Cannot allocate memory", "bad_alloc")
"""Each by a part of torch: what makes tensors, what maps files and shares memory, and C++ itself."""
_KILLS_BEFORE = "NIGHTSHIFT_OOM_KILLS"


class Limit(NamedTuple):
    """How much memory a process may have.

    Attributes:
        bytes: At most.
        name: Of who says so.
    """

    bytes: int
    name: str


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is that; on a CPU, torch has no error of its own for it, and the system's has a number only."""
    if isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID):
        return True
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes the kernel has killed for lack of memory; 0 where it does not say.

    Those of this process's control group are counted, whatever ran out, its limit or the host's memory. Where groups
    are not of version 2, it is those of the whole host.

    Source:
        Linux, Documentation/admin-guide/cgroup-v2.rst, memory.events; ``/proc/vmstat``, oom_kill.
    """
    return next((count for file in _counters(root) if (count := _count(file)) is not None), 0)


def _counters(root: Path) -> list[Path]:
    return [*(group / "memory.events" for group in _groups(root)), root / "proc/vmstat"]


def _groups(root: Path) -> list[Path]:
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        groups = []
    return [root / "sys/fs/cgroup" / line.removeprefix("0::/") for line in groups if line.startswith("0::/")]


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def limit(root: Path = Path("/")) -> Limit | None:
    """Return the lowest limit of this process's memory; None where there is none.

    What a control group (version 2) or the host has is divided among the processes of a training on this host.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    shared = (Limit(each.bytes // processes, f"its part of {each.name}") for each in _shared(root))
    return min([*_own(), *shared], default=None)


def _own() -> Iterator[Limit]:
    for name, number in (("RLIMIT_DATA", resource.RLIMIT_DATA), ("RLIMIT_AS", resource.RLIMIT_AS)):
        most, _ = resource.getrlimit(number)
        if most != resource.RLIM_INFINITY:
            yield Limit(most, name)


def _shared(root: Path) -> Iterator[Limit]:
    for group in _groups(root):
        try:
            yield Limit(int((group / "memory.max").read_text(encoding="utf-8")), "memory.max")
        except (OSError, ValueError):  # "max": none
            continue
    try:
        lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    yield from (Limit(int(line.split()[1]) * 1024, "MemTotal") for line in lines if line.startswith("MemTotal:"))


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
