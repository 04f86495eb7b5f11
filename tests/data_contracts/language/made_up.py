"""Texts of a small grammar: the next character often follows from the last few, and not always."""

from __future__ import annotations

import numpy as np

WHO = ("the cat", "a dog", "our neighbour", "naïve Zoë", "nobody", "every child", "some teacher", "my uncle")
HOW = ("slowly", "often", "hardly ever", "gladly", "once more", "quite loudly", "in vain", "by chance")
DOES = ("sees", "hears", "forgets", "paints", "carries", "washes", "describes", "sells")
WHAT = ("the sea", "a house", "the moon 🌙", "bread", "old letters", "that bridge", "two clocks", "a ladder")


def story(seed: int, sentences: int = 8) -> str:
    """Return a text."""
    random = np.random.default_rng(seed)
    return "".join(
        f"{' '.join(random.choice(words) for words in (WHO, HOW, DOES, WHAT))}{random.choice(['.', '!', '...'])}\n"
        for _ in range(sentences)
    )


def stories(count: int, seed: int = 0, sentences: int = 8) -> list[bytes]:
    """Return so many of them, as UTF-8."""
    return [story(1_000 * seed + number, sentences).encode() for number in range(count)]
