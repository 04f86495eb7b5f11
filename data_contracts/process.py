"""A process that dies with whoever started it; a job also reads ``job.json`` and commits ``result.json`` beside it.

A job ends its module with::

    if __name__ == "__main__":
        main(FitJob, fit)

`COMMAND` and a module's name run any module so that it dies with its starter from the first moment: a job takes
seconds to import torch before it gets to `main`, and what is not ours (torchelastic's agent, a Dask worker, a server)
never does. It has a session of its own: Ctrl-C, or a signal to the starter's group, reaches the starter alone, which
ends it in order.
"""

from __future__ import annotations

import ctypes
import logging
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from data_contracts.commit_point import commit_point
from data_contracts.job import RESULT, commit, read
from data_contracts.night import Value

COMMAND = (sys.executable, "-m", "data_contracts.process")
"""What a module's name and arguments follow."""
STARTER = "NIGHTSHIFT_STARTER"
"""Variable with the number of the process that starts such a one: a child cannot ask for a parent that is gone."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15

Job = TypeVar("Job", bound=Value)


def main(kind: type[Job], work: Callable[[Job], Value | None]) -> None:
    """Do the job named on the command line.

    Args:
        kind: Of value that ``job.json`` holds.
        work: Does it and returns the result; None from a process that is not to commit one.
    """
    die_with_parent(os.getppid())
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    path = Path(sys.argv[1])
    result = work(read(path, kind))
    if result is not None:
        with commit_point(f"{work.__name__} result"):
            commit(result, path.with_name(RESULT))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as the one that started it is gone, or end now if it is gone already.

    Linux only, elsewhere a job may outlive its parent.

    Args:
        parent: Number of the process that started this one.

    Source:
        prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def call(name: str) -> None:
    """Give this process a name, of 15 letters at most, for those who look at processes: ``top``, ``ps -e``.

    Source:
        prctl(2), PR_SET_NAME; Linux only.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())


def _leave_session() -> None:
    """Have a session of its own, unless it was given one: torchelastic does so."""
    if os.getsid(0) != os.getpid():
        os.setsid()


def run(*command: str) -> None:
    """Run a module as a program, in this process: it dies with its starter, and has a session of its own.

    Args:
        command: The module, and its arguments.
    """
    die_with_parent(int(os.environ.get(STARTER, os.getppid())))
    os.environ[STARTER] = str(os.getpid())  # of what the module starts: an agent starts ranks
    _leave_session()
    sys.argv[:] = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run(*sys.argv[1:])
