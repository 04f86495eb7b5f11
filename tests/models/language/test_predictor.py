from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from data_contracts.language.requests import MAX_CHARACTERS, NEW, PIECES, REQUESTS
from data_contracts.language.symbols import BOUNDARY
from models.language.bundle import golden_requests
from models.language.network import Past
from models.language.predictor import LanguagePredictor
from models.language.weights import copy_into, load, new_network
from models.weights import WeightsError
from tests.data_contracts.language.made_up import story
from tests.models.language.tables import KNOWN, PAIRS, write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "weights")


def ask(folder: Path, *requests: dict[str, object]) -> list[dict[str, object]]:
    said = [field for field in REQUESTS.schema if any(field.name in each for each in requests)]
    told = pa.Table.from_pylist(list(requests), schema=pa.schema(said))
    answers: list[dict[str, object]] = LanguagePredictor(folder).predict(told).to_pylist()
    return answers


def test_the_same_seed_draws_the_same_and_another_another(folder: Path) -> None:
    told = {"prompt": story(0), "max_new": 30, "temperature": 1.0}
    one, again, other = ask(folder, told | {"seed": 1}, told | {"seed": 1}, told | {"seed": 2})
    assert one == again
    assert one["continuation"] != other["continuation"]
    assert one["nats_a_character"] == other["nats_a_character"] > 0
    assert one["context"] == 16, "as far as it looks back"


def test_without_a_temperature_the_likeliest_character_comes_each_time(folder: Path) -> None:
    network, record = load(folder)
    (answer,) = ask(folder, {"prompt": "the cat", "max_new": 1, "temperature": 0.0})
    with torch.no_grad():
        logit_V = network(torch.tensor([[0, *record.spelling.numbers(b"the cat").tolist()]]))[0, -1]
    logit_V[1] = -torch.inf
    assert answer["continuation"] == record.spelling.text([number for number in [int(logit_V.argmax())] if number])


def stream(folder: Path, *requests: dict[str, object]) -> Generator[pa.Table, None, None]:
    return LanguagePredictor(folder).stream(pa.Table.from_pylist(list(requests), schema=REQUESTS.schema))


@pytest.mark.parametrize(("tokens", "symbols"), [("characters", KNOWN), ("bytes", ()), ("subwords", PAIRS)])
def test_pieces_are_to_their_schema_and_together_the_continuation(
    tmp_path: Path, tokens: str, symbols: tuple[str, ...]
) -> None:
    folder = write_weights(tmp_path / "weights", features={"tokens": tokens}, symbols=symbols)
    count = 0
    for seed in range(5):
        told = {"prompt": story(seed), "max_new": 60, "temperature": 1.0, "seed": seed}
        pieces = list(stream(folder, told))
        assert all(piece.schema == PIECES.schema and piece.num_rows == 1 for piece in pieces)
        (answer,) = ask(folder, told)
        assert "".join(piece["continuation"][0].as_py() for piece in pieces) == answer["continuation"]
        count += len(pieces)
    assert count > 10


def test_a_symbol_is_drawn_when_its_piece_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, drawn = LanguagePredictor(folder), []
    with torch.no_grad():
        predictor._network.saying.symbols.bias[BOUNDARY] = -100
    further = predictor._network.further

    def recorded(symbol_BL: torch.Tensor, past: Past | None) -> tuple[torch.Tensor, Past]:
        drawn.append(symbol_BL.shape[1])
        return further(symbol_BL, past)

    monkeypatch.setattr(predictor._network, "further", recorded)
    told = {"prompt": "the cat", "max_new": 9, "temperature": 1.0, "seed": 1}
    pieces = predictor.stream(pa.Table.from_pylist([told], schema=REQUESTS.schema))
    for count in (1, 2, 3):
        next(pieces)
        assert len(drawn) == count
    assert drawn == [8, 1, 1], "what was read is kept"


def test_a_wrong_request_is_told_before_the_first_piece(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"request 0: max_new is -1.*request 0: seed is -3"):
        next(stream(folder, {"prompt": "fine", "max_new": -1, "seed": -3}))


def test_what_is_left_out_is_filled_in(folder: Path) -> None:
    empty, default = ask(folder, {"prompt": "", "max_new": 0}), ask(folder, {"prompt": "the"})
    assert empty == [{"continuation": "", "nats_a_character": 0.0, "context": 0}]
    said = default[0]["continuation"]
    assert isinstance(said, str)
    assert len(said) <= NEW
    assert default == ask(folder, {"prompt": "the", "temperature": float("nan")})


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    wrong = [
        {"prompt": None, "max_new": 5},
        {"prompt": "x" * (MAX_CHARACTERS + 1), "max_new": -1},
        {"prompt": "fine", "max_new": 2_000, "temperature": -1.0, "seed": -3},
    ]
    said = (
        r"request 0: prompt is missing.*request 1: prompt has 100,001 characters.*request 1: max_new is -1.*"
        r"request 2: max_new is 2,000.*request 2: temperature is -1.0.*request 2: seed is -3"
    )
    with pytest.raises(ValueError, match=said):
        ask(folder, *wrong)


def test_one_call_must_not_keep_the_server_from_others(folder: Path) -> None:
    with pytest.raises(ValueError, match="3 requests want 1,200 new symbols together, wanted 1,000 at most"):
        ask(folder, *[{"prompt": "", "max_new": 400}] * 3)
    with pytest.raises(ValueError, match="2 prompts have 120,000 characters together, wanted 100,000 at most"):
        ask(folder, *[{"prompt": "x" * 60_000, "max_new": 0}] * 2)


def test_a_character_that_nobody_knows_is_answered_about(folder: Path) -> None:
    (answer,) = ask(folder, {"prompt": "Жжж", "max_new": 3})
    assert answer["nats_a_character"] > 10  # type: ignore[operator]


def test_a_byte_order_mark_at_the_beginning_is_no_symbol_and_a_second_one_is(folder: Path) -> None:
    plain, marked, twice, alone = ask(
        folder, *({"prompt": text, "max_new": 9} for text in ("the", "\ufeffthe", "\ufeff\ufeffthe", "\ufeff"))
    )
    assert marked == plain
    assert twice["context"] == 4
    assert (alone["nats_a_character"], alone["context"]) == (0, 0)


def test_golden_requests_are_always_the_same_and_can_be_answered(folder: Path) -> None:
    requests = golden_requests(folder)
    assert requests == golden_requests(folder)
    answers = ask(folder, *requests)
    assert answers == ask(folder, *requests)
    assert all(answer["continuation"] == "" for answer in answers[:-1])


def test_new_characters_are_added_behind_those_that_are_known(tmp_path: Path) -> None:
    old = write_weights(tmp_path / "old")
    wider = load(write_weights(tmp_path / "new", symbols=(*KNOWN, "ж"), seed=1))
    network = new_network(wider.record)
    fresh = network.reading.symbol.weight.detach().clone()
    copy_into(network, old, wider.record)
    known = load(old).network.reading.symbol.weight
    torch.testing.assert_close(network.reading.symbol.weight[: len(known)], known)
    torch.testing.assert_close(network.reading.symbol.weight[len(known) :], fresh[len(known) :])
    with pytest.raises(WeightsError, match="not the first of the"):
        copy_into(network, write_weights(tmp_path / "other", symbols=KNOWN[::-1]), wider.record)
