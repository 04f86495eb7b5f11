"""What medical promises about its tables: what vision does. `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.vision.promises import PROMISES

__all__ = ["PROMISES"]
