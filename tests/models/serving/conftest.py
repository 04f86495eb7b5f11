from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.serving.tiny_shop import register_two


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Versions 1 and 2 of `shop` in MLflow, version 1 champion. A test that changes them registers another name."""
    folder = tmp_path_factory.mktemp("shop")
    return register_two(folder), folder
