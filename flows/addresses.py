"""Where a home and its servers can be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

DASHBOARD = "cluster.dashboard_port"
"""The setting that may say port 0: any that is free."""
HIGHEST_PORT = 65_535
NO_FOLDER = r"%|\?|::|\\|[\x00-\x1f\x7f]"
"""What no folder on the way to the home may hold: each was seen to lead somewhere else."""


def no_home(home: Path) -> Iterator[str]:
    """Say why a folder cannot be the home."""
    whole = str(home.resolve())
    if "://" in str(home) or ":/" in str(home):
        yield f"home {str(home)!r} is no folder of this machine; only what comes in may lie elsewhere yet"
    elif odd := sorted(set(re.findall(NO_FOLDER, whole))):
        yield (
            f"home {whole!r} holds {', '.join(map(repr, odd))}, which Delta Lake, fsspec or SQLite take for something "
            "else than a name. Take another folder"
        )


def clashes(servers: Mapping[str, str]) -> Iterator[str]:
    """Say which addresses cannot be, by the settings that name them: two servers at one, or a port that there is not.

    Args:
        servers: Setting to the address that it names, with a port.
    """
    taken: dict[str, str] = {"127.0.0.1:0": "any"}
    for setting, url in servers.items():
        address = url.removeprefix("http://").replace("localhost:", "127.0.0.1:")
        if not 0 < int(address.rpartition(":")[2]) <= HIGHEST_PORT and setting != DASHBOARD:
            yield f"{setting} {url!r} has no port: they are 1 to {HIGHEST_PORT:,}"
        elif taken.setdefault(address, setting) not in {setting, "any"}:
            yield f"{setting} and {taken[address]} are the same address, {address}: each server needs its own"
