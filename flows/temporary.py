"""A Prefect server for one night, when none answers: it keeps the night's record, and ends with it."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

from data_contracts.process import COMMAND, STARTER
from tasks.job import end

START_SECONDS = 120.0


def start_prefect(home: Path, database: Mapping[str, str]) -> str:
    """Start a server that ends with this process, and return its API's address.

    Prefect would start the same by itself, and leave it behind when the night is killed.

    Args:
        home: Prefect's, whose files lie there; made when absent.
        database: Variable that says where the record is kept instead; none for a file in ``home``.

    Raises:
        OSError: It does not start; its own words are above.
    """
    home.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}/api"
        app = ("uvicorn", "--factory", "prefect.server.api.server:create_app")
        process = subprocess.Popen(
            [*COMMAND, *app, "--fd", str(door.fileno()), "--log-level", "error"],
            pass_fds=[door.fileno()],
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                **database,
                STARTER: str(os.getpid()),
                "PREFECT_HOME": str(home),
                "PREFECT_UI_ENABLED": "false",
                "PREFECT__SERVER_EPHEMERAL": "1",
                "PREFECT__SERVER_FINAL": "1",
            },
        )
    atexit.register(end, process)  # after Prefect's threads, which send what they still hold
    with urlopen(f"{url}/health", timeout=START_SECONDS):
        return url
