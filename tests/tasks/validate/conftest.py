from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.validate.logs import Shop


@pytest.fixture
def shop(tmp_path: Path, cluster: str) -> Shop:
    """A shop without logs and without tables."""
    return Shop(tmp_path, cluster)
