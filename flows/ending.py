"""An end when it is asked for: SIGTERM (preemption, Prefect's cancellation) and Ctrl-C end every process, in time.

The orderly way is an exception in the main thread: Prefect's own while the flow runs, `Ended` around it. It takes a few
seconds. What may hold it up (a server that answers no more, a call into native code) is not waited for: an alarm goes
off, the kernel ends this process, and with it all that it started (`data_contracts.process`).
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ORDERLY_SECONDS = 6
"""How long the orderly way may take; every process is to be gone within 10 s."""

AGAIN_SECONDS = 0.1
"""After which a signal comes again whose exception was lost."""


class Ended(KeyboardInterrupt):  # the only kind that Prefect takes for an end from outside, beside its own
    """The process is asked to end.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def ends_when_asked() -> Iterator[None]:
    """Turn the signals into `Ended`. While a flow runs Prefect's exception comes first, then this one.

    Raises:
        Ended: The process was asked to end.
    """
    before = {number: signal.signal(number, _end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise Ended(number)


@contextmanager
def ends_in_time() -> Iterator[None]:
    """Have the kernel end this process `ORDERLY_SECONDS` after a signal that comes under it, should it still be there.

    A signal whose exception was lost comes again: Python drops what is raised while it clears an object away.

    No handler is touched: Prefect takes a cancellation for one only while its own handler is in place. The interpreter
    writes each signal's number into a pipe at once, whatever the main thread is doing.
    """
    atexit.register(gc.freeze)  # else Python looks at every object once more: 2 s, on a busy machine 10 s
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_watch, args=(reader,), name="ends in time", daemon=True).start()
    before, hook = signal.set_wakeup_fd(writer, warn_on_full_buffer=False), sys.unraisablehook
    sys.unraisablehook = _asked_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.set_wakeup_fd(before)
        os.close(writer)


def _asked_again(lost: sys.UnraisableHookArgs) -> None:
    """Send the signal of an exception that was lost once more, a moment later: here it would be lost as well."""
    from prefect.exceptions import TerminationSignal

    sys.__unraisablehook__(lost)
    if isinstance(lost.exc_value, Ended | TerminationSignal):
        number = lost.exc_value.number if isinstance(lost.exc_value, Ended) else lost.exc_value.signal
        threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()


def _watch(reader: int) -> None:
    with os.fdopen(reader, "rb", buffering=0) as numbers:
        if any(number[0] in SIGNALS for number in iter(lambda: numbers.read(1), b"")):
            signal.alarm(ORDERLY_SECONDS)  # once: a second signal does not put it off
            numbers.read()


def exit_code(number: int) -> int:
    """Return what a shell calls the end by a signal."""
    return 128 + number
