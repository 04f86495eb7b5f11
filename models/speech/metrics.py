"""By what recognisers of speech are compared. Shape letter: U recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from data_contracts.evidence import Confusion, Metrics
from models.metrics import Floats
from models.rates import Parts, error_rate, of_characters, of_words
from models.slices import Flags

COMMONEST, SVM = "commonest", "svm"

METRICS = Metrics(
    primary="word_error_rate",
    shown=("word_error_rate", "character_error_rate", "exact"),
    drawn=("word_error_rate",),
    lower_is_better=("word_error_rate", "character_error_rate"),
    baselines=(COMMONEST, SVM),
    unit="recording",
)

FEW_TEXTS = 20
"""Up to as many different ones that were said, it is shown what was heard of each."""
ANOTHER = "(another)"
"""A text that nobody said."""


class Errors(NamedTuple):
    """How far what one contestant heard is from what was said.

    Attributes:
        words: Edits of words, and words.
        characters: Edits of characters, and characters.
        exact_U: 1 where all of it was heard as it was said, else 0; NaN of a network that gave no number.
    """

    words: Parts
    characters: Parts
    exact_U: Floats

    @classmethod
    def of(cls, said: Sequence[str], heard: Sequence[str | None]) -> Self:
        """Compare texts; None was heard by a network that gave no number."""
        texts = [text or "" for text in heard]
        lost_U = np.where([text is None for text in heard], np.nan, 0.0)
        exact_U = np.array([own == text for own, text in zip(said, texts, strict=True)], np.float64)
        edits = (count(said, texts).columns for count in (of_words, of_characters))
        words, characters = (Parts.of(edits_U + lost_U, all_U) for edits_U, all_U in edits)
        return cls(words, characters, exact_U + lost_U)

    def metric(self, name: str, weight_U: Floats) -> float:
        """Return one of `METRICS.shown` over recordings that count so often."""
        if name == "exact":
            return float(self.exact_U @ weight_U / weight_U.sum())
        return error_rate((self.words if name == "word_error_rate" else self.characters).state(weight_U))

    def metrics(self, weight_U: Floats) -> dict[str, float]:
        """Return all of them; nothing where no recording counts."""
        return {name: self.metric(name, weight_U) for name in METRICS.shown} if weight_U.any() else {}

    def of_part(self, chosen: Flags) -> dict[str, float]:
        """Return all of them over some recordings."""
        return self.metrics(chosen.astype(np.float64))


def values(metric: str, errors: Mapping[str, Errors]) -> Callable[[Floats], Mapping[str, float]]:
    """Return each contestant's value of a metric, by how often each recording counts."""
    return lambda weight_U: {name: each.metric(metric, weight_U) for name, each in errors.items()}


def confusion(said: Sequence[str], heard: Sequence[str | None]) -> Confusion | None:
    """Return which text was heard as which; None where more than `FEW_TEXTS` were said."""
    texts = sorted(set(said))
    if len(texts) > FEW_TEXTS:
        return None
    place = {text: number for number, text in enumerate([*texts, ANOTHER])}
    counts = np.zeros((len(place), len(place)), np.int64)
    for own, text in zip(said, heard, strict=True):
        counts[place[own], place.get(text or "", len(texts))] += 1
    return Confusion(classes=tuple(place), counts=tuple(map(tuple, counts.tolist())))
