"""Code of before beside that of today: a program of this folder is run in a worktree of another commit, and here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TODAY = Path(__file__).parents[1]


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """Check out a commit into ``folder``, which is made, and remove it afterwards.

    Raises:
        CalledProcessError: There is no such commit here, as in a shallow clone.
    """
    git = ["git", "-C", str(TODAY), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


@dataclass(frozen=True)
class Cost:
    """What a program took, with all that it started and waited for.

    Attributes:
        processor: Seconds that processors worked for it.
        wall: Seconds.
        memory: Most that its largest process held at once, MB.
    """

    processor: float
    wall: float
    memory: float

    def __str__(self) -> str:
        return f"{self.processor:,.1f} s of processors in {self.wall:,.1f} s, {self.memory:,.0f} MB"


def run(tree: Path, module: str, arguments: Sequence[str]) -> Cost:
    """Run ``python -m module`` with the code of ``tree`` alone.

    Raises:
        CalledProcessError: It failed.
    """
    command, began = [sys.executable, "-m", module, *arguments], time.monotonic()
    process = subprocess.Popen(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss * 1024 / 1e6)
