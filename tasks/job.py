"""Start a job as a process of its own, follow it, and read what it answers.

Errors of this module::

    JobError
    ├── JobFailedError    the process ended without a result
    └── JobRunningError   somebody else is at work in the job's folder
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from pydantic import ValidationError

from data_contracts.job import JOB, RESULT, commit, read
from data_contracts.night import Value
from data_contracts.process import COMMAND, STARTER
from tasks.lock import LOCK, LockedError, locked

LOG = "log.txt"
POLL_SECONDS = 0.1
END_SECONDS = 3.0
"""How long a process has to end by itself before it is killed; a whole night has 10 s."""
LAST_LINES = 20

Answer = TypeVar("Answer", bound=Value)
logger = logging.getLogger(__name__)


class JobError(Exception):
    """A job did not do its work."""


class JobFailedError(JobError):
    """The process ended without a result; the message holds the last lines of its log."""


class JobRunningError(JobError, LockedError):
    """Somebody else is at work in the job's folder."""


def run_job(
    module: str,
    job: Value,
    folder: Path,
    answer: type[Answer],
    *,
    launcher: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = logger.info,
    wanted: Callable[[], bool] = lambda: True,
    lock_seconds: float = 15.0,
) -> Answer:
    """Run ``python -m module job.json`` to its end, unless its result is there already.

    Args:
        module: Ends with `data_contracts.process.main`; dies with us, also while it still imports.
        job: What it is told.
        folder: Its own; made when absent, locked while it runs. Holds job.json, log.txt and result.json.
        answer: Kind of value that result.json holds.
        launcher: Another module and its options: it starts this one, once or more often.
        environment: Variables set for it, over those of this process.
        on_line: Is told every line of its log.
        wanted: Is asked again and again; the job is ended once it says no.
        lock_seconds: How long to wait for the folder's lock: a killed owner's processes take a moment to go.

    Returns:
        What result.json says; at once when it answers an equal job.

    Raises:
        JobFailedError: The process ended without a result, whatever its exit code, or was no longer wanted.
        JobRunningError: Another process holds the folder's lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, module, seconds=lock_seconds, error=JobRunningError):
        found = answered(job, folder, answer)
        if found is not None:
            return found
        result = folder / RESULT
        result.unlink(missing_ok=True)
        commit(job, folder / JOB)
        command = [*COMMAND, *launcher, module, str(folder / JOB)]
        code = follow(command, folder / LOG, {**os.environ, **(environment or {})}, on_line, wanted)
        if not result.exists():
            raise JobFailedError(failure(module, code, folder / LOG))
        return read(result, answer)


def answered(job: Value, folder: Path, answer: type[Answer]) -> Answer | None:
    """Return the result in ``folder`` that answers an equal job; None without one, or when it cannot be read."""
    try:
        return read(folder / RESULT, answer) if read(folder / JOB, type(job)) == job else None
    except (FileNotFoundError, ValidationError):
        return None


def follow(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    wanted: Callable[[], bool],
) -> int:
    """Run ``command`` with its output in ``log``, pass the lines on, and return the exit code; it ends with us."""
    with log.open("w", encoding="utf-8") as out, log.open(encoding="utf-8", errors="replace") as lines:
        own = {**environment, STARTER: str(os.getpid())}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=own)
        try:
            while process.poll() is None and wanted():
                _pass_on(lines, on_line)
                time.sleep(POLL_SECONDS)
        finally:
            end(process)
            _pass_on(lines, on_line)
    return process.returncode


def _pass_on(lines: TextIO, on_line: Callable[[str], None]) -> None:
    """Tell every whole line that came since; part of a line waits for its end."""
    while True:
        start = lines.tell()
        line = lines.readline()
        if not line.endswith("\n"):
            lines.seek(start)
            return
        on_line(line.rstrip())


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then kill it; an ended one stays as it is."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failure(module: str, code: int, log: Path) -> str:
    """Say that a job ended without a result, with the last lines of its log."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        last = "".join(deque(lines, LAST_LINES)).strip() or "(it wrote nothing)"
    return (
        f"job {module!r} ended with exit code {code} and no result. The last lines of {log}:\n{last}\n"
        "Nothing was published. Mend the cause and start the night again: it goes on from here."
    )
