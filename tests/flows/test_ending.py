from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from flows.ending import Ended, ends_in_time, ends_when_asked, exit_code
from tests.patience import END_SECONDS, patient

DEAF = """
import signal, time
from flows.ending import SIGNALS, ends_in_time

for number in SIGNALS:
    signal.signal(number, lambda *_: None)
with ends_in_time():
    print("at work", flush=True)
    while True:
        time.sleep(1)
"""

LOST = """
import os, signal, sys, time
import prefect.exceptions  # as a night has it: importing it takes seconds on a busy machine
from flows.ending import Ended, ends_in_time, ends_when_asked, exit_code

class Asks:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

try:
    with ends_when_asked(), ends_in_time():
        Asks()
        while True:
            time.sleep(1)
except Ended as ended:
    sys.exit(exit_code(ended.number))
"""


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[str]]:
    """A process at work that does not end by itself when it is asked to."""
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_cannot_end_in_order_ends_in_time(deaf: subprocess.Popen[str]) -> None:
    deaf.terminate()
    assert deaf.wait(patient(END_SECONDS)) == -signal.SIGALRM


def test_a_signal_that_comes_while_an_object_is_cleared_away_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False)
    assert "Exception ignored in: <function Asks.__del__" in done.stderr
    assert done.returncode == exit_code(signal.SIGTERM), done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_says_by_what_and_then_hears_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Ended, match=number.name) as ended, ends_when_asked():
        os.kill(os.getpid(), number)
    assert ended.value.number == number
    assert signal.getsignal(number) is before


def test_a_work_that_ends_by_itself_leaves_nothing_behind_and_other_signals_do_not_end_it() -> None:
    before = set(threading.enumerate())
    heard: list[int] = []
    handler = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    with ends_in_time():
        (watch,) = set(threading.enumerate()) - before
        os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, handler)
    watch.join(patient(END_SECONDS))
    assert heard == [signal.SIGUSR1]
    assert not watch.is_alive()
    assert signal.set_wakeup_fd(-1) == -1
