from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from data_contracts.language.symbols import BOUNDARY, FIRST, UNKNOWN
from models.language.network import LanguageNetwork, Past
from models.language.saying import go_on
from models.language.weights import load
from tests.models.language.tables import KNOWN, write_weights

CONTEXT = 16
SYMBOLS = FIRST + len(KNOWN)


@pytest.fixture
def network(tmp_path: Path) -> LanguageNetwork:
    """Weights that are large, so that everything that was read makes a difference; no text ends early."""
    made = load(write_weights(tmp_path / "weights")).network
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
        made.saying.symbols.bias[BOUNDARY] = -100
    return made


def prompt(length: int) -> list[int]:
    numbers: list[int] = np.random.default_rng(length).integers(FIRST, SYMBOLS, length).tolist()
    return numbers


@torch.no_grad()
def plainly(network: LanguageNetwork, begun: list[int], most: int, seed: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Read the whole row for each symbol, and yield it and the logits that it was drawn from."""
    generator = torch.Generator().manual_seed(seed)
    row = [BOUNDARY, *begun][-CONTEXT:]
    for _ in range(most):
        row = row if len(row) <= CONTEXT else row[-CONTEXT // 2 :]
        logit_V = network(torch.tensor([row]))[0, -1].double()
        allowed_V = logit_V.index_fill(0, torch.tensor([UNKNOWN]), -torch.inf)
        said = int(torch.multinomial(allowed_V.softmax(dim=0), 1, generator=generator))
        row.append(said)
        yield said, logit_V


@pytest.mark.parametrize("length", [0, 1, 7, 14, 15, 16, 17, 40])
def test_what_was_read_is_kept_and_says_the_same_as_reading_it_again(
    network: LanguageNetwork, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, further = [], network.further

    def recorded(symbol_BL: torch.Tensor, past: Past | None) -> tuple[torch.Tensor, Past]:
        logit_BV, kept = further(symbol_BL, past)
        logits.append(logit_BV[0].double())
        return logit_BV, kept

    monkeypatch.setattr(network, "further", recorded)
    wanted, wanted_logits = zip(*plainly(network, prompt(length), 3 * CONTEXT, seed=length), strict=True)
    found = go_on(network, prompt(length), most=3 * CONTEXT, temperature=1.0, seed=length)
    assert list(found) == list(wanted)
    torch.testing.assert_close(torch.stack(logits), torch.stack(wanted_logits), atol=1e-5, rtol=0)


def test_all_that_a_row_holds_makes_a_difference(network: LanguageNetwork) -> None:
    begun = prompt(CONTEXT)
    other = [FIRST if begun[0] != FIRST else FIRST + 1, *begun[1:]]
    with torch.no_grad():
        one, another = (network.further(torch.tensor([each]), None)[0] for each in (begun, other))
    assert (one - another).abs().max() > 1e-3


def test_a_symbol_is_read_once_until_the_row_is_full(network: LanguageNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    read, further = [], network.further

    def recorded(symbol_BL: torch.Tensor, past: Past | None) -> tuple[torch.Tensor, Past]:
        read.append(symbol_BL.shape[1])
        return further(symbol_BL, past)

    monkeypatch.setattr(network, "further", recorded)
    assert len(list(go_on(network, prompt(11), most=2 * CONTEXT, temperature=1.0, seed=0))) == 2 * CONTEXT
    assert read == [12, 1, 1, 1, 1, 8, *[1] * 8, 8, *[1] * 8, 8, *[1] * 8][: 2 * CONTEXT]


def test_a_text_ends_early_where_a_document_would(network: LanguageNetwork) -> None:
    with torch.no_grad():
        network.saying.symbols.bias[BOUNDARY] = 1_000
    assert list(go_on(network, prompt(3), most=5, temperature=1.0, seed=0)) == []
