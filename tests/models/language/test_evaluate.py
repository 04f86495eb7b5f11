from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from data_contracts.language.spelling import Characters
from data_contracts.manifest import DamagedError
from models.language import baselines as module
from models.language.baselines import baselines
from models.language.evaluate import evaluate
from models.language.metrics import METRICS
from models.language.ngrams import NGrams
from models.weights import WeightsError
from tests.data_contracts.language.made_up import stories, story
from tests.models.jobs import JUDGED, WINDOWS
from tests.models.language.tables import KNOWN, evaluate_job, write_tables, write_weights


def texts(*judged: bytes) -> dict[str, list[bytes]]:
    return {WINDOWS[0]: stories(60), WINDOWS[1]: stories(60, seed=1), JUDGED: [*stories(20, seed=2), *judged]}


def test_everybody_is_judged_on_the_same_documents(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", texts(story(99, 60).encode()))
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.metrics.keys() == {"candidate", *METRICS.baselines}
    characters = sum(map(len, [*(text.decode() for text in stories(20, seed=2)), story(99, 60)]))
    assert (found.counts["units"], found.counts["targets"]) == (21, characters)
    five, one, fresh = (found.metrics[name]["nats_a_character"] for name in ("five_gram", "one_gram", "candidate"))
    assert five < one < fresh < 1.1 * math.log(len(KNOWN) + 2), "fresh weights know nothing"
    for each in found.metrics.values():
        assert each["perplexity"] == pytest.approx(math.exp(each["nats_a_character"]))
        assert each["bits_a_byte"] < each["nats_a_character"] / math.log(2), "some characters are several bytes"
    assert found.slices["long_documents"].units == 1
    assert sum(part.units for part in found.slices.values()) == 21
    judged = [text.decode()[:40] for text in stories(2, seed=2)]
    assert [sample.asked for sample in found.samples] == ["", *judged], "the same every time"
    assert any(sample.answered for sample in found.samples)


@pytest.mark.parametrize("documents", [1, 3, 5, 7])
def test_only_the_newest_documents_are_counted_where_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documents: int
) -> None:
    """Whole ones, one more than fits; windows hold four, and the newest is the last."""
    there = {window: stories(4, seed) for seed, window in enumerate(WINDOWS)} | {JUDGED: stories(3, seed=9)}
    tables, own = write_tables(tmp_path / "tables", there), Characters(KNOWN)
    newest = [own.numbers(text) for window in WINDOWS for text in there[window]][-documents:]
    monkeypatch.setattr(module, "MOST_SYMBOLS", sum(map(len, newest)))
    judged = [own.numbers(text) for text in there[JUDGED]]
    found = baselines(evaluate_job(tables, {}))
    assert found.keys() == set(METRICS.baselines)
    for name, counts in found.items():
        wanted = NGrams(newest, module.ORDERS[name], own.count)
        assert counts.surprise(judged).tolist() == wanted.surprise(judged).tolist()


def test_what_was_there_before_does_not_judge(tmp_path: Path) -> None:
    again, edited, twice = stories(60)[3].upper(), b"Edited: " + stories(60, seed=1)[7], stories(1, seed=5)[0]
    tables = write_tables(tmp_path / "tables", texts(again.replace(b" ", b"\n"), edited, twice, twice))
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert (found.counts["units"], found.counts["near_duplicates"], found.counts["window_units"]) == (21, 3, 24)
    assert found.counts["window_targets"] > found.counts["targets"]


def test_documents_that_came_late_do_not_judge(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", texts())
    weights = {"candidate": write_weights(tmp_path / "weights")}
    found = evaluate(evaluate_job(tables, weights, first_day=date(2026, 3, 4)))
    assert (found.counts["targets"], found.counts["late"]) == (0, 20)
    assert found.metrics == {name: {} for name in ("candidate", *METRICS.baselines)}


def test_who_does_not_know_a_character_yet_is_judged_by_it_all_the_same(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", texts("ЖЖЖЖ и ещё".encode()))
    found = evaluate(evaluate_job(tables, {"champion": write_weights(tmp_path / "weights")}))
    assert found.counts["unknown_characters"] == 0, "the tables know them"
    before = evaluate(evaluate_job(write_tables(tmp_path / "before", texts()), {"champion": tmp_path / "weights"}))
    characters, more = before.counts["targets"], len("ЖЖЖЖ и ещё")
    for name in found.metrics:
        nats = [each.metrics[name]["nats_a_character"] for each in (before, found)]
        paid = nats[1] * (characters + more) - nats[0] * characters
        assert paid > (more - 2) * math.log(0x110000), f"{name} pays for each of them but the blanks"


def test_the_metric_that_decides_may_be_another(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", texts())
    weights = {"candidate": write_weights(tmp_path / "weights")}
    nats, bits = (evaluate(evaluate_job(tables, weights, metric=each)) for each in (None, "bits_a_byte"))
    assert (nats.by.primary, bits.by.primary) == ("nats_a_character", "bits_a_byte")
    ahead = nats.ahead["five_gram"]
    assert ahead.low < ahead.high < 0, "the counts are better"
    assert bits.ahead["five_gram"].high < 0


def test_weights_of_other_symbols_or_damaged_ones_are_not_judged(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", texts())
    other = write_weights(tmp_path / "other", symbols=KNOWN[::-1])
    with pytest.raises(WeightsError, match="know other characters than the tables"):
        evaluate(evaluate_job(tables, {"candidate": other}))
    (other / "model.safetensors").write_bytes(b"")
    with pytest.raises(DamagedError):
        evaluate(evaluate_job(tables, {"candidate": other}))
