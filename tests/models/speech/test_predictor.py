from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.speech.bundle import golden_requests
from models.speech.predictor import SpeechPredictor
from models.speech.weights import copy_into, load, new_network
from models.weights import WeightsError
from tests.data_contracts.payloads.made_up import encoded, tone
from tests.data_contracts.speech.made_up import spoken
from tests.models.speech.tables import SYMBOLS_MET, write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "weights")


def ask(folder: Path, *sounds: bytes | None) -> list[dict[str, list[object]]]:
    answers: list[dict[str, list[object]]] = (
        SpeechPredictor(folder).predict(pa.table({"sound": pa.array(sounds, pa.binary())})).to_pylist()
    )
    return answers


def test_an_answer_does_not_depend_on_what_is_asked_beside(folder: Path) -> None:
    sounds = [spoken("ab cd"), spoken("a"), spoken("dcba dcba dcba")]
    together = ask(folder, *sounds)
    assert together == [ask(folder, each)[0] for each in sounds]
    for answer in together:
        assert answer["words"] == str(answer["text"]).split()
        assert len(answer["begins"]) == len(answer["ends"]) == len(answer["words"])
    assert ask(folder) == []


def test_sounds_of_any_rate_and_kind_and_silence_are_answered(folder: Path) -> None:
    silence = encoded(np.zeros((8_000, 1), np.float32), rate=8_000)
    others = (encoded(tone(rate=44_100, channels=2), rate=44_100), spoken("ab", kind="FLAC"), silence)
    assert len(ask(folder, *others)) == 3


def test_bad_sounds_are_named_by_their_rows(folder: Path) -> None:
    good = spoken("ab")
    with pytest.raises(ValueError, match=r"request 1: sound is no WAV or FLAC.*request 2: sound cut short.*\.$"):
        ask(folder, good, b"ID3", good[:-40])
    with pytest.raises(ValueError, match="1 nulls, wanted none"):
        ask(folder, None)
    minute = encoded(np.zeros((60 * 8_000, 1), np.float32), "FLAC", rate=8_000)
    with pytest.raises(ValueError, match="requests 0 to 5 are more than 300 s together: send fewer"):
        ask(folder, *[minute] * 6, b"not looked at any more")


def test_golden_requests_are_always_the_same_and_can_be_answered(folder: Path) -> None:
    golden = golden_requests(folder)
    assert golden == golden_requests(folder)
    assert len(ask(folder, *(request["sound"] for request in golden))) == len(golden)  # type: ignore[arg-type]


def test_a_network_that_knows_more_characters_starts_from_one_that_knows_fewer(folder: Path) -> None:
    before = load(folder)
    more = before.record.model_copy(update={"symbols": (*SYMBOLS_MET, "e")})
    grown = new_network(more)
    fresh = grown.writing.symbols.weight[-1].clone()
    copy_into(grown, folder, more)
    torch.testing.assert_close(grown.writing.symbols.weight[:-1], before.network.writing.symbols.weight)
    torch.testing.assert_close(grown.writing.symbols.weight[-1], fresh)
    other = before.record.model_copy(update={"symbols": SYMBOLS_MET[::-1]})
    with pytest.raises(WeightsError, match="characters: 5, which are not the first of the 5 wanted"):
        copy_into(new_network(other), folder, other)
