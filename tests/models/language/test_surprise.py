from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from data_contracts.language.spelling import CODE_POINTS
from data_contracts.language.symbols import BOUNDARY, FIRST, UNKNOWN
from models.language import surprise as module
from models.language.network import LanguageNetwork
from models.language.surprise import surprise
from models.language.weights import load
from tests.models.language.tables import KNOWN, write_weights


@pytest.fixture
def network(tmp_path: Path) -> LanguageNetwork:
    return load(write_weights(tmp_path / "weights")).network


def text(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(FIRST, FIRST + len(KNOWN), length, dtype=np.int32)


@torch.no_grad()
def plainly(network: LanguageNetwork, symbols: np.ndarray) -> float:
    """Predict symbol after symbol, each from as many before it as rows of half a context give it."""
    whole, half, nats = [BOUNDARY, *symbols.tolist()], network.context // 2, 0.0
    for place in range(1, len(whole)):
        start = 0 if place <= network.context else (place - half - 1) // half * half
        logit_V = network(torch.tensor([whole[start:place]]))[0, -1].double()
        nats -= float(logit_V.log_softmax(dim=0)[whole[place]])
    return nats


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 24, 25, 100])
def test_every_symbol_is_predicted_once_and_none_without_half_a_context(network: LanguageNetwork, length: int) -> None:
    symbols = text(length)
    assert surprise(network, [symbols]) == pytest.approx(plainly(network, symbols), rel=1e-6)


def test_texts_do_not_know_of_each_other(network: LanguageNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text(length, seed=length) for length in (40, 3, 0, 60)]
    alone = [float(surprise(network, [each])[0]) for each in texts]
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 5 * network.saying.symbols.out_features)
    assert surprise(network, texts) == pytest.approx(alone, rel=1e-6)
    assert alone[2] == 0


def test_a_character_that_nobody_knows_costs_that_it_is_one_and_which(network: LanguageNetwork) -> None:
    strange = np.array([FIRST, FIRST + len(KNOWN) + 5, FIRST], np.int32)
    unknown = np.where(strange >= FIRST + len(KNOWN), UNKNOWN, strange)
    (found,) = surprise(network, [strange])
    assert found == surprise(network, [unknown])[0] == pytest.approx(plainly(network, unknown) + math.log(CODE_POINTS))
