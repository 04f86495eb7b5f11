"""Made-up pictures: a bright bar whose place says the class, on noise."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LABELS = ("top", "middle", "bottom")


def bars(count: int, *, size: int = 12, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels, uint8 (count, size, size, 1), and the number of each one's label."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 160, (count, size, size, 1), dtype=np.uint8)
    numbers = random.integers(0, len(LABELS), count)
    third = size // len(LABELS)
    for picture, number in zip(pixels, numbers, strict=True):
        picture[number * third : (number + 1) * third] += np.uint8(60)
    return pixels, numbers


def encoded(pixels: NDArray[np.uint8] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Write pixels, (height, width) or with channels, as a file's bytes."""
    written = BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(written, kind, **options)
    return written.getvalue()
