from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from data_contracts.language.spelling import CODE_POINTS
from data_contracts.language.symbols import BOUNDARY, FIRST, UNKNOWN
from models.language import ngrams
from models.language.ngrams import NGrams

ORDER, SYMBOLS = 3, 8


def texts(count: int, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.choice([2, 2, 2, 3, 3, 4, 5], size=random.integers(1, 40)).astype(np.int32) for _ in range(count)]


def plainly(learned: list[np.ndarray], judged: np.ndarray) -> float:
    """Count one by one: Witten and Bell's rule, each length smoothed by the shorter one."""
    followed = defaultdict[tuple[int, ...], Counter[int]](Counter)
    for text in learned:
        whole = [BOUNDARY] * (ORDER - 1) + text.tolist()
        for place in range(ORDER - 1, len(whole)):
            for length in range(ORDER):
                followed[tuple(whole[place - length : place])][whole[place]] += 1

    def chance(context: tuple[int, ...], symbol: int) -> float:
        shorter = chance(context[1:], symbol) if context else 1 / SYMBOLS
        counts = followed.get(context)
        if counts is None:
            return shorter
        return (counts[symbol] + len(counts) * shorter) / (counts.total() + len(counts))

    whole = [BOUNDARY] * (ORDER - 1) + judged.tolist()
    places = range(ORDER - 1, len(whole))
    return -sum(math.log(chance(tuple(whole[place - ORDER + 1 : place]), whole[place])) for place in places)


def test_counts_are_those_of_the_rule() -> None:
    learned, judged = texts(20, seed=0), [*texts(5, seed=1), np.array([7, 6, 7], np.int32)]
    found = NGrams(learned, ORDER, SYMBOLS).surprise(judged)
    assert found == pytest.approx([plainly(learned, each) for each in judged], rel=1e-12)


def test_chances_of_all_symbols_add_up_to_one() -> None:
    counts = NGrams(texts(20, seed=0), ORDER, SYMBOLS)
    for begun in ([2, 3], [7, 7], [5]):
        one_more = [np.array([*begun, symbol], np.int32) for symbol in range(SYMBOLS) if symbol != UNKNOWN]
        rest = counts.surprise([np.array(begun, np.int32)])
        said = np.exp(rest - counts.surprise(one_more)).sum()
        unknown = counts.surprise([np.array([*begun, UNKNOWN], np.int32)]) - math.log(CODE_POINTS)
        assert said + np.exp(rest - unknown) == pytest.approx(1)


def test_it_does_not_matter_how_many_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, judged = texts(20, seed=0), texts(3, seed=1)
    at_once = NGrams(learned, ORDER, SYMBOLS).surprise(judged)
    for some in (1, 50):
        monkeypatch.setattr(ngrams, "SYMBOLS_AT_ONCE", some)
        assert NGrams(iter(learned), ORDER, SYMBOLS).surprise(judged).tolist() == at_once.tolist()


def test_without_a_text_all_symbols_are_alike() -> None:
    found = NGrams([], ORDER, SYMBOLS).surprise([np.array([FIRST, FIRST], np.int32)])
    assert found == pytest.approx(2 * math.log(SYMBOLS))
