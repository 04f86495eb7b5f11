"""On a slow disk a night takes longer, and ends as on any other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.disturbed import FAULTS, Undisturbed

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]


@pytest.fixture
def slow_disk(tmp_path: Path) -> Path:
    """A library that slows down whatever program is started with it."""
    compiler = shutil.which("cc")
    assert compiler is not None, "no C compiler (cc): this test builds tests/faults/slow_disk.c."
    library = tmp_path / "slow_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, FAULTS / "slow_disk.c", "-ldl"], check=True)
    return library


def test_a_night_on_a_slow_disk_ends_as_on_any_other(undisturbed: Undisturbed, slow_disk: Path) -> None:
    with undisturbed.second() as house:
        undisturbed.night(house.under(LD_PRELOAD=slow_disk, SLOW_DISK=house.home))
        undisturbed.assert_equal(house)
