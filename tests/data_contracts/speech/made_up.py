"""Made-up speech: a tone for each letter, and nothing for a blank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.data_contracts.payloads.made_up import encoded

LETTERS = "abcd"
RATE = 8_000


def spoken(text: str, *, seed: int = 0, rate: int = RATE, kind: str = "WAV") -> bytes:
    """Return the file of a text, 80 ms a character; another seed gives other noise."""
    random = np.random.default_rng([seed, *text.encode()])
    time = np.arange(round(0.08 * rate)) / rate
    tones = [
        np.zeros(len(time)) if letter == " " else np.sin(2 * np.pi * 300 * (1 + LETTERS.index(letter)) * time)
        for letter in text
    ]
    samples = 0.4 * np.concatenate(tones)
    return encoded((samples + random.normal(0, 0.01, len(samples)))[:, None].astype(np.float32), kind, rate=rate)


def texts(count: int, *, words: int = 2, seed: int = 0) -> Sequence[str]:
    """Return texts of one to so many words, of two letters each."""
    random = np.random.default_rng(seed)
    pairs = [one + other for one in LETTERS for other in LETTERS]
    return [" ".join(random.choice(pairs, random.integers(1, words + 1))) for _ in range(count)]
