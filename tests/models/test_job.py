from __future__ import annotations

import subprocess
import sys

SAYS = "import os, sys; sys.stdout.write(f'{os.getsid(0) == os.getpid()} {sys.argv[1:]}')"


def test_any_module_is_run_as_if_alone_and_in_a_session_of_its_own() -> None:
    command = [sys.executable, "-m", "models.job", "timeit", "-n", "1", "-r", "1", SAYS]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert answer.startswith("True ['-n', '1', '-r', '1', "), answer
