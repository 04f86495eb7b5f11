"""Texts of made-up words: the next character often follows from the last few, and not always."""

from __future__ import annotations

from itertools import product

import numpy as np

WORDS = tuple("".join(parts) for parts in product(("ba", "do", "ki", "ly", "ñu", "šta"), repeat=3))
ENDS = (".", "!", "...", " 🌙")


def story(seed: int, sentences: int = 8) -> str:
    """Return a text."""
    random = np.random.default_rng(seed)
    return "".join(f"{' '.join(random.choice(WORDS, 5))}{random.choice(ENDS)}\n" for _ in range(sentences))


def stories(count: int, seed: int = 0, sentences: int = 8) -> list[bytes]:
    """Return so many of them, as UTF-8."""
    return [story(1_000 * seed + number, sentences).encode() for number in range(count)]
