from __future__ import annotations

from tests.models.serving.conftest import shop

__all__ = ["shop"]
