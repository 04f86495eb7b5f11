"""What the home takes on disk, part by part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from data_contracts.night import Workspace

BLOCK_BYTES = 512
"""Unit of `st_blocks`, on every file system."""


def disk_use(workspace: Workspace) -> dict[str, int]:
    """Return the bytes that each part takes; parts that are not there are left out."""
    home = Path(workspace.home)
    places: dict[str, str | Path] = {
        "tables": workspace.tables,
        "staging": workspace.staging,
        "runs": workspace.runs,
        "docs": workspace.docs,
        "artifacts": home / "artifacts",
        "mlflow.db": home / "mlflow.db",
        "prefect": home / "prefect",
    }
    return {part: _bytes(Path(place)) for part, place in places.items() if Path(place).exists()}


def in_words(use: Mapping[str, int]) -> str:
    """Return disk use for people: every part, then their sum."""
    parts = ", ".join(f"{part} {size / 1e6:,.1f} MB" for part, size in use.items())
    return f"{parts}; together {sum(use.values()) / 1e6:,.1f} MB"


def _bytes(place: Path) -> int:
    """Add up a file, or all under a folder; servers may remove files of theirs meanwhile."""
    total = 0
    for path in (place, *(Path(folder) / name for folder, _, names in os.walk(place) for name in names)):
        try:
            total += path.lstat().st_blocks * BLOCK_BYTES
        except FileNotFoundError:
            continue
    return total
