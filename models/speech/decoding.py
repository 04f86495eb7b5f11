"""What was said, and when, by the logits of one sound. Shape letters: L places, V symbols, 0 the blank of CTC."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Numbers = NDArray[np.int64]

BLANK = 0


class Word(NamedTuple):
    """A word, and when it was said.

    Attributes:
        text: Without blanks.
        start_s: Seconds from the beginning of the sound.
        end_s: So too.
        confidence: Mean chance of its characters, 0 to 1.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float


class Heard(NamedTuple):
    """What was said: words with one blank between them."""

    text: str
    words: tuple[Word, ...]


class Decoder:
    """Reads texts from logits.

    Args:
        symbols: Characters of the numbers from 1.
        seconds: Of a place.
    """

    def __init__(self, symbols: Sequence[str], *, seconds: float) -> None:
        self._symbols = ("", *symbols)
        self._seconds = seconds

    def heard(self, logit_LV: Logits) -> Heard:
        """Take the likeliest symbol of each place; one that goes on over several is one character."""
        return self._along(logit_LV.argmax(axis=1), softmax(logit_LV))

    def _along(self, path_L: Numbers, chance_LV: Logits) -> Heard:
        """Read words along a path of one symbol a place."""
        begin_N = np.flatnonzero(np.diff(path_L, prepend=BLANK))
        end_N = np.append(begin_N[1:], len(path_L))[: len(begin_N)]
        letters = [
            (self._symbols[path_L[begin]], begin, end, float(chance_LV[begin:end, path_L[begin]].max()))
            for begin, end in zip(begin_N.tolist(), end_N.tolist(), strict=True)
            if path_L[begin] != BLANK
        ]
        words = []
        for is_blank, group in groupby(letters, lambda letter: letter[0].isspace()):
            if not is_blank:
                text, begin, end, chance = zip(*group, strict=True)
                words.append(
                    Word("".join(text), begin[0] * self._seconds, end[-1] * self._seconds, sum(chance) / len(chance))
                )
        return Heard(" ".join(word.text for word in words), tuple(words))


def softmax(logit_LV: Logits) -> Logits:
    """Return chances, (L, V)."""
    chance_LV: Logits = np.exp(logit_LV - logit_LV.max(axis=1, keepdims=True))
    chance_LV /= chance_LV.sum(axis=1, keepdims=True)
    return chance_LV
