from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from data_contracts.language.twins import bands
from tests.data_contracts.language.made_up import story

GOLDEN = [-1973547762700990235, -8417258065091325505, 397610162841476873, 5722013090968021718]
"""The first bands of a sentence."""


def are_twins(one: str, other: str) -> bool:
    return bool((bands(one.encode()) == bands(other.encode())).any())


def other_words(sentences: int) -> str:
    random = np.random.default_rng(sentences)
    return " ".join("".join(chr(97 + letter) for letter in random.integers(0, 26, 6)) for _ in range(5 * sentences))


@pytest.mark.parametrize("text", [story(0, 30), other_words(30), "好" * 3 + story(1, 30)])
def test_a_text_that_says_nearly_the_same_is_a_twin(text: str) -> None:
    assert are_twins(text, text)
    assert are_twins(text, f"  {text.replace(' ', chr(10), 4)}\n\n"), "white space does not count"
    assert are_twins(text, f"Corrected: {text}")
    assert are_twins(text, text.upper().replace(" ", "\u3000"))


def test_other_texts_are_none() -> None:
    texts = [other_words(30 + number) for number in range(100)]
    assert not any(are_twins(one, other) for one, other in pairwise(texts))


@pytest.mark.parametrize("text", ["", " ", "x", "好", "exactly 12 b"])
def test_short_texts_have_bands_too(text: str) -> None:
    assert are_twins(text, text)
    assert text.strip() == "" or not are_twins(text, f"{text} and more of it")


def test_bands_are_those_of_yesterday() -> None:
    """They are stored: whatever library is newer must draw the same."""
    assert bands(b"It was a dark and stormy night.")[:4].tolist() == GOLDEN
