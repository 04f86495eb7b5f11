"""Metrics that are one sum over another: errors a word or a character, nats or bits a token.

What is summed is that of single units, so sums of parts add up to those of the whole, in any order, and a unit that
counts twice is weighed: as the histograms of `models.metrics` do, for batches, processes and a bootstrap alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from rapidfuzz.distance import Levenshtein

from models.metrics import Floats, over


class Parts(NamedTuple):
    """What each unit has of two sums; they are weighed again and again, as a bootstrap does.

    Attributes:
        columns: Of each unit its errors or nats, and its words, characters or tokens; (2, units).
    """

    columns: Floats

    @classmethod
    def of(cls, above: ArrayLike, below: ArrayLike) -> Parts:
        """Take what the units have of either sum, (units,) each.

        Raises:
            ValueError: They are not as many, or a unit has less than none of what is counted.
        """
        columns = [np.asarray(each, np.float64) for each in (above, below)]
        units = [each.shape for each in columns]
        if units[0] != units[1] or len(units[0]) != 1:
            raise ValueError(f"sums of units of shapes {units[0]} and {units[1]}, wanted one number of each a unit.")
        if (columns[1] < 0).any():
            raise ValueError(f"a unit counts {columns[1].min():g}, wanted 0 or more.")
        return cls(np.stack(columns))

    def state(self, weights: Floats | None = None) -> Floats:
        """Return both sums, (2,); of more units, states are added.

        Args:
            weights: How often each unit counts, (units,); once when omitted.

        Returns:
            The sums, both NaN where a unit's is not finite: a model that diverged has no metric.
        """
        if not np.isfinite(self.columns).all():
            return np.full(2, np.nan)
        sums: Floats = self.columns.sum(axis=1) if weights is None else self.columns @ weights
        return sums


def of_words(references: Sequence[str], heard: Sequence[str]) -> Parts:
    """Count the edits between two texts of each unit, and the words of the first; `error_rate` is the word error rate.

    Texts are compared as they are: capital letters, punctuation and the form of Unicode count, white space does not.

    Args:
        references: What was said, one text a unit. One without a word has edits all the same: whatever was heard.
        heard: What was made of it.

    Raises:
        ValueError: They are not as many.

    Source:
        Edit distance: Levenshtein, 1966; the rate of all units together as jiwer reckons it.
    """
    return _edits(references, heard, str.split)


def of_characters(references: Sequence[str], heard: Sequence[str]) -> Parts:
    """Count as `of_words` does, in characters; blanks between words count, those around the text do not."""
    return _edits(references, heard, str.strip)


def of_tokens(nats: ArrayLike, tokens: ArrayLike) -> Parts:
    """Take what a language model says of each unit, a document say.

    Args:
        nats: Sum of -ln of the chance given to each token that came, (units,).
        tokens: That were to be said, (units,).

    Raises:
        ValueError: They are not as many, or a unit has fewer tokens than none.
    """
    return Parts.of(nats, tokens)


def error_rate(sums: Floats) -> float:
    """Return edits a word or character: 0 is without fault, more than 1 is possible; NaN without any word."""
    return over(*sums)


def nats_a_token(sums: Floats) -> float:
    """Return the mean loss, nats; NaN without any token."""
    return over(*sums)


def bits_a_token(sums: Floats) -> float:
    """Return the mean loss, bits; NaN without any token."""
    return over(*sums) / math.log(2)


def perplexity(sums: Floats) -> float:
    """Return among how many equally likely tokens a model has to guess, in the mean; NaN without any token."""
    with np.errstate(over="ignore"):
        return float(np.exp(over(*sums)))


def _edits(references: Sequence[str], heard: Sequence[str], cut: Callable[[str], Sequence[str]]) -> Parts:
    if len(references) != len(heard):
        raise ValueError(f"{len(references):,} references and {len(heard):,} texts that were heard, wanted as many.")
    pairs = [(cut(said), cut(made)) for said, made in zip(references, heard, strict=True)]
    return Parts.of([Levenshtein.distance(*pair) for pair in pairs], [len(said) for said, _ in pairs])
