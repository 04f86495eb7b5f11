"""What a training's driver looks at, again and again: hosts, and a sign of life."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from distributed import Client

from data_contracts.job import Heartbeat, read


def workers_by_host(client: Client) -> dict[str, list[str]]:
    """Return the addresses of each host's workers, by the host's."""
    found: dict[str, list[str]] = {}
    for worker in sorted(client.scheduler_info(n_workers=-1)["workers"]):
        found.setdefault(str(urlsplit(worker).hostname), []).append(worker)
    return found


def heartbeat_in(file: Path) -> Heartbeat | None:
    """Return how far the training is; None when there is no sign of it yet."""
    try:
        return read(file, Heartbeat)
    except (FileNotFoundError, ValueError):
        return None
