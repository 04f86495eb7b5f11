"""Where the agents of one training meet: a key-value store in a process of its own, which outlives each of them.

``python -m models.rendezvous job.json`` says in ``result.json`` where it listens, and goes on until it is ended.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from data_contracts.job import RESULT, RendezvousJob, RendezvousResult, commit, read
from data_contracts.process import die_with_parent


def serve(path: Path) -> None:
    """Listen on one address of this host, and say where; never returns.

    Args:
        path: Of ``job.json``.
    """
    job = read(path, RendezvousJob)
    try:
        listener = socket.create_server((job.host, job.port))
    except OSError as error:
        sys.exit(
            f"the hosts of a training cannot meet at {job.host}, port {job.port}: {error.strerror}. "
            "Set train.parallelism.rendezvous_port to a free one, or to 0, which takes any."
        )
    port = listener.getsockname()[1]
    store = TCPStore(job.host, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())
    commit(RendezvousResult(endpoint=f"{job.host}:{store.port}"), path.with_name(RESULT))
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    die_with_parent(os.getppid())
    serve(Path(sys.argv[1]))
