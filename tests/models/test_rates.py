from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import reduce

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.evidence import Metrics
from models.bootstrap import compare
from models.rates import (
    Parts,
    bits_a_token,
    error_rate,
    nats_a_token,
    of_characters,
    of_tokens,
    of_words,
    perplexity,
)

NOTHING = np.zeros(2)
TEXTS = st.text("abcé 好", max_size=12)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)
LOSSES = st.lists(st.tuples(st.floats(0, 1e4), st.integers(0, 500)), min_size=1, max_size=8)
Pairs = Sequence[tuple[str, str]]


def _parts(count: Callable[[list[str], list[str]], Parts], pairs: Pairs) -> Parts:
    said, heard = (list(texts) for texts in zip(*pairs, strict=True))
    return count(said, heard)


@given(PAIRS)
@settings(deadline=None)
def test_the_rate_of_all_units_together_is_jiwers(pairs: Pairs) -> None:
    said, heard = (list(texts) for texts in zip(*pairs, strict=True))
    if any(text.strip() for text in said):
        assert error_rate(of_words(said, heard).state()) == pytest.approx(jiwer.wer(said, heard))
        assert error_rate(of_characters(said, heard).state()) == pytest.approx(jiwer.cer(said, heard))


@given(PAIRS, LOSSES, st.integers(0, 10_000))
@settings(deadline=None)
def test_however_units_are_spread_over_processes_the_numbers_are_the_same(
    pairs: Pairs, losses: list[tuple[float, int]], seed: int
) -> None:
    chance = random.Random(seed)
    of_losses = of_tokens(*zip(*losses, strict=True))
    for whole in (_parts(of_words, pairs), _parts(of_characters, pairs), of_losses):
        process = [chance.randrange(4) for _ in whole.columns.T]  # some have none
        states = [Parts(whole.columns[:, [each == number for each in process]]).state() for number in range(4)]
        chance.shuffle(states)
        merged = reduce(np.add, states)
        nested = (states[0] + states[1]) + (states[2] + states[3])
        for other in (merged, nested, reduce(np.add, reversed(states))):
            np.testing.assert_allclose(other, whole.state(), rtol=1e-12)
            for metric in (error_rate, nats_a_token, bits_a_token):
                assert metric(other) == pytest.approx(metric(whole.state()), rel=1e-12, nan_ok=True)


@given(PAIRS, st.data())
@settings(deadline=None)
def test_a_weight_is_how_often_a_unit_counts(pairs: Pairs, data: st.DataObject) -> None:
    often = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    repeated = [pair for pair, times in zip(pairs, often, strict=True) for _ in range(times)]
    sums = _parts(of_words, repeated).state() if repeated else NOTHING
    np.testing.assert_array_equal(_parts(of_words, pairs).state(np.array(often, float)), sums)


def test_a_loss_is_said_in_nats_in_bits_and_as_perplexity() -> None:
    sums = of_tokens([math.log(8) * 3, math.log(2)], [3, 1]).state()
    assert nats_a_token(sums) == pytest.approx(math.log(8) * 0.75 + math.log(2) * 0.25)
    assert bits_a_token(sums) == pytest.approx(2.5)
    assert perplexity(sums) == pytest.approx(2**2.5)
    assert perplexity(of_tokens([1e6], [1]).state()) == math.inf


def test_what_is_heard_where_nothing_was_said_counts_as_errors() -> None:
    sums = of_words(["a b", ""], ["a b", "c d"]).state()
    assert error_rate(sums) == 1
    assert error_rate(of_characters([" ", "ab"], ["", "b"]).state()) == 0.5


def test_without_a_word_or_a_token_there_is_no_rate() -> None:
    sums = [of_words([], []).state(), of_words([""], ["a"]).state(), of_tokens([], []).state(), NOTHING]
    for metric in (error_rate, nats_a_token, bits_a_token, perplexity):
        assert all(math.isnan(metric(each)) for each in sums)


@pytest.mark.parametrize("nats", [math.nan, math.inf])
def test_a_model_that_diverged_has_no_rate_however_its_units_are_drawn(nats: float) -> None:
    diverged = of_tokens([1, nats], [1, 1])
    assert math.isnan(perplexity(diverged.state()))
    assert math.isnan(perplexity(diverged.state(np.array([2.0, 0.0])) + of_tokens([1], [1]).state()))


def test_units_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="2 references and 1 texts that were heard"):
        of_words(["a", "b"], ["a"])
    with pytest.raises(ValueError, match=r"of shapes \(2,\) and \(1,\), wanted one number of each a unit"):
        of_tokens([1, 2], [1])
    with pytest.raises(ValueError, match="a unit counts -1, wanted 0 or more"):
        of_tokens([1, 2], [1, -1])


def test_a_difference_between_rates_is_as_sure_as_its_units_say() -> None:
    by = Metrics(
        primary="wer", shown=("wer",), drawn=(), lower_is_better=("wer",), baselines=("deaf", "lucky"), unit="utterance"
    )
    said = ["one two three four"] * 60
    heard = {
        "candidate": ["one two three for", "one two three four"] * 30,
        "lucky": ["one two three four", "one two free for"] * 30,
        "deaf": ["one"] * 60,
    }
    of_each = {name: of_words(said, texts) for name, texts in heard.items()}

    def values(weights: np.ndarray) -> dict[str, float]:
        return {name: error_rate(parts.state(weights)) for name, parts in of_each.items()}

    chosen, ahead = compare(by, values, len(said))
    assert chosen == "candidate"
    assert 0.5 < ahead["deaf"].low < 0.75 - 0.125 < ahead["deaf"].high
    assert ahead["lucky"].low < 0.125 < ahead["lucky"].high
    doubled = {name: Parts(np.repeat(parts.columns, 4, axis=1)) for name, parts in of_each.items()}
    _, surer = compare(
        by, lambda weights: {name: error_rate(each.state(weights)) for name, each in doubled.items()}, 240
    )
    assert surer["lucky"].low > ahead["lucky"].low
