from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from data_contracts.manifest import seal
from data_contracts.version import CANDIDATE
from models.speech.evaluate import evaluate
from models.speech.metrics import METRICS
from models.weights import TENSORS, WeightsError
from tests.models.jobs import JUDGED, WINDOWS
from tests.models.speech.tables import FEATURES, SYMBOLS_MET, evaluate_job, said, write_tables, write_weights

TOLD = said({WINDOWS[0]: 40, WINDOWS[1]: 30, JUDGED: 25})


def test_everybody_is_judged_on_the_same_recordings(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", TOLD, speakers=("ann", "bob"))
    found = evaluate(evaluate_job(tables, {CANDIDATE: write_weights(tmp_path / "weights")}))
    assert found.metrics.keys() == {CANDIDATE, *METRICS.baselines}
    assert found.counts["units"] == 25
    assert found.counts["targets"] == sum(map(len, TOLD[JUDGED]))
    assert found.metrics["svm"]["word_error_rate"] < found.metrics["commonest"]["word_error_rate"]
    own, lies = found.metrics[CANDIDATE], found.intervals[CANDIDATE]
    assert all(lies[name].low <= own[name] <= lies[name].high for name in METRICS.shown)
    assert {"one_word", "few_words", "speaker_ann", "speaker_bob"} == found.slices.keys()
    assert found.slices["speaker_ann"].units + found.slices["speaker_bob"].units == 25
    asked = [sample.asked for sample in found.samples]
    assert set(asked) <= set(TOLD[JUDGED])


def test_what_was_heard_is_shown_of_few_texts(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {**TOLD, JUDGED: ["ab", "cd", "ab"]})
    found = evaluate(evaluate_job(tables, {CANDIDATE: write_weights(tmp_path / "weights")}))
    assert found.confusion["svm"].classes[:2] == ("ab", "cd")
    assert [sum(row) for row in found.confusion["svm"].counts] == [2, 1, 0]


def test_copies_and_late_recordings_do_not_judge(tmp_path: Path) -> None:
    told = {WINDOWS[0]: ["ab", "cd"], WINDOWS[1]: ["dd"], JUDGED: ["ab", "cd", "ba"]}
    tables = write_tables(tmp_path / "tables", told, noise=(0, 1, 0))
    weights = {CANDIDATE: write_weights(tmp_path / "weights")}
    found = evaluate(evaluate_job(tables, weights)).counts
    assert (found["units"], found["copies"], found["late"]) == (1, 2, 0)
    later = evaluate(evaluate_job(tables, weights, first_day=date.fromisoformat(JUDGED) + timedelta(days=1)))
    assert (later.counts["units"], later.counts["copies"], later.counts["late"]) == (0, 0, 3)
    assert (later.ahead, later.intervals[CANDIDATE], later.confusion) == ({}, {}, {})


def test_where_nothing_was_written_down_before_baselines_say_so(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {JUDGED: ["ab"]})
    with pytest.raises(ValueError, match="no transcribed recording in windows 2026-03-01, 2026-03-02"):
        evaluate(evaluate_job(tables, {CANDIDATE: write_weights(tmp_path / "weights")}))


def test_a_network_that_diverged_has_no_metric_and_is_not_ahead(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", TOLD)
    lost = write_weights(tmp_path / "weights")
    tensors = {name: tensor * np.nan for name, tensor in load_file(lost / TENSORS).items()}
    save_file(tensors, lost / TENSORS)
    seal(lost)
    found = evaluate(evaluate_job(tables, {CANDIDATE: lost, "champion": write_weights(tmp_path / "other")}))
    assert all(map(np.isnan, found.metrics[CANDIDATE].values()))
    assert np.isnan(found.ahead["champion"].low)


def test_weights_of_other_characters_or_features_are_refused(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", TOLD)
    stranger = write_weights(tmp_path / "stranger", symbols=SYMBOLS_MET[::-1])
    with pytest.raises(WeightsError, match="characters: 5, which are not the first of the 5 wanted"):
        evaluate(evaluate_job(tables, {CANDIDATE: stranger}))
    own = write_weights(tmp_path / "own")
    with pytest.raises(WeightsError, match=r"features\.mels: 16, wanted 20"):
        evaluate(evaluate_job(tables, {CANDIDATE: own}, features={**FEATURES, "mels": 20}))
