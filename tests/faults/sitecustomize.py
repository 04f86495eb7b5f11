"""Faults on order: a Python process that has this folder on ``PYTHONPATH`` hears the commit points, and may end there.

Python imports ``sitecustomize`` before anything else, in the children of children too. What happens is told by these
variables; without ``FAULT_POINT`` nothing does.

FAULT_POINT     commit point at which it happens
FAULT_MOMENT    ``before`` (the default) or ``after`` it
FAULT_COUNT     the how-many-th time that a process passes there; 1 when omitted
FAULT_SIGNAL    by which signal; ``SIGKILL`` when omitted
FAULT_TARGET    who is killed: ``flow``, the nearest process upwards that runs flows.nightly (the default), or ``self``
FAULT_FILL      file that grows until its disk is full; nobody is killed then
FAULT_ONCE      file made just before; once it is there, nothing happens any more
FAULT_GPUS      how many GPUs torch finds, whatever is there
FAULT_HEARD     file that gets a line ``point moment pid`` for everything heard
"""

from __future__ import annotations

import errno
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

EVENT = "nightshift.commit_point"
FLOW = b"flows.nightly"

passed: Counter[tuple[str, str]] = Counter()


def hear(event: str, arguments: tuple[object, ...]) -> None:
    """Hear every audit event of this process."""
    if event == EVENT:
        point, moment = map(str, arguments)
        passed[point, moment] += 1
        if heard := os.environ.get("FAULT_HEARD"):
            append(heard, f"{point} {moment} {os.getpid()}\n")
        if is_due(point, moment) and is_first():
            fill(file) if (file := os.environ.get("FAULT_FILL")) else kill()


def append(file: str, line: str) -> None:
    """Write a line in one piece, whoever else writes to the file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def is_due(point: str, moment: str) -> bool:
    """Whether this is where it happens."""
    wanted = os.environ.get("FAULT_POINT"), os.environ.get("FAULT_MOMENT", "before")
    return (point, moment) == wanted and passed[point, moment] == int(os.environ.get("FAULT_COUNT", "1"))


def is_first() -> bool:
    """Whether it did not happen yet; said once, to one process."""
    if once := os.environ.get("FAULT_ONCE"):
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
    return True


def fill(file: str) -> None:
    """Leave no block free on the disk of ``file``."""
    with open(file, "wb", buffering=0) as ballast:
        for block in (bytes(1 << 20), bytes(1 << 12)):
            try:
                while ballast.write(block) == len(block):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def kill() -> None:
    """Kill the target, then stay here: nothing after this point may happen, and others see to it that we end."""
    number = signal.Signals[os.environ.get("FAULT_SIGNAL", "SIGKILL")]
    os.kill(os.getpid() if os.environ.get("FAULT_TARGET") == "self" else flow(), number)
    while True:
        time.sleep(1)


def flow() -> int:
    """Return the pid of the flow above this process, or of this process.

    Raises:
        LookupError: No such process runs.
    """
    pid = os.getpid()
    while pid:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if FLOW in file.read():
                return pid
        with open(f"/proc/{pid}/stat", "rb") as file:
            pid = int(file.read().rpartition(b")")[2].split()[1])
    raise LookupError(f"no process above {os.getpid()} runs {FLOW.decode()}.")


class Gpus(PathFinder):
    """Imports ``torch.cuda`` so that it counts what ``FAULT_GPUS`` says."""

    @classmethod
    def find_spec(cls, name: str, *where: object) -> ModuleSpec | None:  # type: ignore[override]
        if name != "torch.cuda":
            return None
        spec = super().find_spec(name, *where)
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            module.device_count = lambda: int(os.environ["FAULT_GPUS"])

        spec.loader.exec_module = exec_module
        return spec


def import_next() -> None:
    """Run the ``sitecustomize`` that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec(__name__, [path for path in sys.path if os.path.abspath(path or ".") != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


import_next()
sys.addaudithook(hear)
if "FAULT_GPUS" in os.environ:
    sys.meta_path.insert(0, Gpus)
