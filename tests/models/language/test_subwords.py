"""Subwords, from their tables to an answer."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.language.requests import REQUESTS
from data_contracts.language.spelling import Subwords
from models.language import baselines as module
from models.language.baselines import baselines
from models.language.bundle import golden_requests
from models.language.evaluate import evaluate
from models.language.ngrams import NGrams
from models.language.predictor import LanguagePredictor
from models.language.weights import copy_into, load, new_network
from models.weights import WeightsError
from tests.data_contracts.language.made_up import stories, story
from tests.models.jobs import JUDGED, WINDOWS
from tests.models.language.tables import PAIRS, SUBWORDS, evaluate_job, fit_job, write_subwords, write_weights
from tests.models.splitting import train

TEXTS = {window: stories(40, seed=seed) for seed, window in enumerate((*WINDOWS, JUDGED))}
job = partial(evaluate_job, features=SUBWORDS)
subword_weights = partial(write_weights, features=SUBWORDS, symbols=PAIRS)


@pytest.mark.slow
def test_what_is_trained_on_subwords_is_judged_by_characters_and_answers(tmp_path: Path) -> None:
    tables = write_subwords(tmp_path / "tables", TEXTS)
    fresh = subword_weights(tmp_path / "fresh")
    start = partial(fit_job, tables, features=SUBWORDS, warm_start=str(fresh))
    folder = Path(train(start, tmp_path / "run", processes_per_node=1).checkpoint)
    found = evaluate(job(tables, {"candidate": folder, "champion": fresh}))
    assert found.counts["targets"] == sum(len(text.decode()) for text in TEXTS[JUDGED])
    assert found.counts["unknown_characters"] == 0
    nats = {name: each["nats_a_character"] for name, each in found.metrics.items()}
    assert nats["five_gram"] < nats["one_gram"]
    assert nats["candidate"] < nats["champion"]
    predictor, golden = LanguagePredictor(folder), golden_requests(folder)
    asked = [{"prompt": text.decode(), "max_new": 9, "temperature": 1.0, "seed": 3} for text in TEXTS[JUDGED]]
    answers = predictor.predict(pa.Table.from_pylist([*asked, *golden], schema=REQUESTS.schema)).to_pylist()
    said = sum(a["nats_a_character"] * len(b["prompt"]) for a, b in zip(answers, asked, strict=False))
    assert said / found.counts["targets"] == pytest.approx(nats["candidate"], rel=1e-5)
    pieces = predictor.stream(pa.Table.from_pylist(asked[:1], schema=REQUESTS.schema))
    assert "".join(piece["continuation"][0].as_py() for piece in pieces) == answers[0]["continuation"]


def test_counts_are_of_subwords_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, own = write_subwords(tmp_path, TEXTS), Subwords(PAIRS)
    newest = [own.numbers(text) for text in TEXTS[WINDOWS[1]]][-7:]
    monkeypatch.setattr(module, "MOST_SYMBOLS", sum(map(len, newest)))
    judged = [own.numbers(text) for text in TEXTS[JUDGED]]
    for name, counts in baselines(job(tables, {})).items():
        wanted = NGrams(newest, module.ORDERS[name], own.count)
        assert counts.surprise(judged).tolist() == wanted.surprise(judged).tolist()


def test_weights_of_other_subwords_are_neither_judged_nor_trained_further(tmp_path: Path) -> None:
    tables, wanted = write_subwords(tmp_path / "tables", TEXTS), load(subword_weights(tmp_path / "own")).record
    others = (
        ("fewer", SUBWORDS, PAIRS[:-1], "63, which are not exactly the 64 wanted"),
        ("bytes", {"tokens": "bytes"}, (), "tokens: bytes, wanted subwords"),
    )
    for name, features, symbols, said in others:
        other = write_weights(tmp_path / name, features=features, symbols=symbols)
        with pytest.raises(WeightsError, match=r"know other .* than the tables have"):
            evaluate(job(tables, {"candidate": other}))
        with pytest.raises(WeightsError, match=said):
            copy_into(new_network(wanted), other, wanted)


def test_a_bundle_needs_no_table(tmp_path: Path) -> None:
    folder = subword_weights(tmp_path / "weights")
    assert tuple(json.loads((folder / "model.json").read_text())["symbols"]) == PAIRS
    assert (
        load(folder).record.spelling.numbers(story(3).encode()).tolist()
        == Subwords(PAIRS).numbers(story(3).encode()).tolist()
    )
