from __future__ import annotations

import os
import signal
import subprocess
import sys

from data_contracts.process import COMMAND, STARTER
from tests.patience import LONG_SECONDS

SAYS = "import os, sys; sys.stdout.write(f'{os.getsid(0) == os.getpid()} {sys.argv[1:]}')"


def test_any_module_is_run_as_if_alone_and_in_a_session_of_its_own() -> None:
    command = [*COMMAND, "timeit", "-n", "1", "-r", "1", SAYS]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONG_SECONDS).stdout
    assert answer.startswith("True ['-n', '1', '-r', '1', "), answer


def test_a_job_whose_starter_is_gone_before_it_looks_ends_at_once() -> None:
    command = [*COMMAND, "timeit", "-n", "1", "-r", "1", SAYS]
    gone = subprocess.Popen(["true"])
    gone.wait(60)
    ended = subprocess.run(
        command, env={**os.environ, STARTER: str(gone.pid)}, capture_output=True, timeout=LONG_SECONDS, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert not ended.stdout


def test_a_process_that_ends_does_not_look_through_all_that_it_imported() -> None:
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0)); import data_contracts"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "True\n", answer.stderr
