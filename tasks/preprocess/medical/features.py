"""The features of medical: those of vision. `tasks.preprocess.features` asks for them."""

from __future__ import annotations

from tasks.preprocess.vision.features import FEATURES

__all__ = ["FEATURES"]
