from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from models import memory


def host(root: Path, *, group: str, events: dict[str, int], whole: int | None) -> Path:
    """Lay out what a kernel shows: its counts by control group, and that of the whole host."""
    for name, kills in events.items():
        folder = root / "sys/fs/cgroup" / name
        folder.mkdir(parents=True)
        (folder / "memory.events").write_text(f"low 0\nhigh 4\nmax 9\noom 7\noom_kill {kills}\noom_group_kill 1\n")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    if whole is not None:
        (root / "proc/vmstat").write_text(f"nr_free_pages 5\noom_kill {whole}\n")
    return root


@pytest.mark.parametrize(
    ("group", "events", "whole", "kills"),
    [
        pytest.param("0::/night.slice\n", {"": 9, "night.slice": 2}, 9, 2, id="its own group's"),
        pytest.param("0::/\n", {"": 3}, 9, 3, id="a container's, which sees no other"),
        pytest.param("4:memory:/here\n0::/\n", {}, 9, 9, id="groups of version 1: the host's"),
        pytest.param("", {}, None, 0, id="nothing is counted"),
    ],
)
def test_kills_are_counted_where_the_kernel_counts_them(
    tmp_path: Path, group: str, events: dict[str, int], whole: int | None, kills: int
) -> None:
    assert memory.oom_kills(host(tmp_path, group=group, events=events, whole=whole)) == kills


def test_the_lowest_limit_counts_and_what_processes_share_is_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory.limit(tmp_path) is None
    root = host(tmp_path, group="0::/night.slice\n", events={"night.slice": 0}, whole=None)
    (root / "proc/meminfo").write_text("MemTotal:        8000 kB\nMemFree: 1 kB\n")
    assert memory.limit(root) == (2000 * 1024, "its part of MemTotal")
    own = root / "sys/fs/cgroup/night.slice/memory.max"
    own.write_text("max\n")
    assert memory.limit(root) == (2000 * 1024, "its part of MemTotal")
    own.write_text("4000\n")
    assert memory.limit(root) == (1000, "its part of memory.max")


def test_only_kills_since_the_beginning_count(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([5, 5, 7])
    monkeypatch.setattr(memory, "oom_kills", lambda: next(counts))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    memory.count_from_here()
    assert [memory.killed(), memory.killed()] == [0, 2]
    assert memory.said(2).startswith("the kernel killed 2 processes of this host for lack of memory")


@pytest.mark.parametrize(
    ("error", "it_is"),
    [
        (MemoryError("Unable to allocate 7 TiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("unable to mmap 9 bytes from file </dev/shm/x>: Cannot allocate memory (12)"), True),
        (RuntimeError("std::bad_alloc"), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("Connection closed by peer"), False),
        (ValueError("bad_alloc is a word"), False),
    ],
)
def test_memory_that_was_not_enough_is_known_by_whoever_says_so(error: Exception, *, it_is: bool) -> None:
    assert memory.is_out_of_memory(error) == it_is
