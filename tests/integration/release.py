"""The code of the release before, as its users have it while they upgrade."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.conftest import ROOT, House

RELEASE = "20a3449402cbcf6439f6162d388ea1d9ef621e1b"
"""0.1.0: the last commit before tables had versions and bundles formats."""
RENAMED = {"NIGHTSHIFT_HELD_OUT__MIN_UNITS": "NIGHTSHIFT_HELD_OUT__MIN_USERS"}
"""Settings that are called otherwise today, as that code knows them."""


def as_it_knows_them(house: House) -> House:
    """Return the house with the settings' names of the release before."""
    return House(house.home, {RENAMED.get(name, name): value for name, value in house.environment.items()})


def release_before(folder: Path) -> Path | None:
    """Put the code of `RELEASE` into a folder, which is made; None where git does not have it: in a shallow clone."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    if subprocess.run(["git", "archive", "-o", archive, RELEASE], cwd=ROOT, check=False).returncode != 0:
        return None
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    archive.unlink()
    return folder
