"""Code of before beside that of today: a program of this folder is run in a worktree of another commit, and here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


def run(tree: Path, module: str, arguments: Sequence[str]) -> None:
    """Run ``python -m module`` with the code of ``tree`` alone.

    Raises:
        CalledProcessError: It failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=tree, env=environment, check=True)
