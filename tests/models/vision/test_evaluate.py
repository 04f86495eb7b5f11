from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from data_contracts.manifest import DamagedError
from data_contracts.waiting import Waiting
from models.vision.evaluate import evaluate
from models.vision.metrics import METRICS
from models.weights import WeightsError
from tests.data_contracts.vision.made_up import LABELS, bars
from tests.models.jobs import WINDOWS
from tests.models.vision.tables import SIZE, Columns, evaluate_job, write_tables, write_weights

JUDGED = "2026-03-03"
COUNTS = {WINDOWS[0]: 120, WINDOWS[1]: 80, JUDGED: 600}


def test_everybody_is_judged_on_the_same_pictures(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS, waiting=Waiting(rows_waiting=7, labels_given_up=2))
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.metrics.keys() == {"candidate", *METRICS.baselines}
    assert found.counts["units"] == found.counts["targets"] == found.counts["window_targets"] == 600
    assert (found.counts["rows_waiting"], found.counts["labels_given_up"], found.counts["late"]) == (7, 2, 0)
    for name in found.metrics:
        assert sum(map(sum, found.confusion[name].counts)) == 600
    assert found.metrics["logistic"]["accuracy"] > found.metrics["majority"]["accuracy"] > 0.2


def test_what_was_there_before_does_not_judge(tmp_path: Path) -> None:
    """Of nine pictures two are of a known subject, three twins of older ones, one of them both, and one of another."""
    older = [bars(COUNTS[window], size=SIZE, seed=seed)[0] for seed, window in enumerate(WINDOWS)]
    new = bars(9, size=SIZE, seed=7)[0]
    new[3], new[4], new[5] = older[0][17], older[1][3] - (older[1][3] > 0), older[1][79]
    new[8] = new[7]
    subjects = [None, "p", "q", None, "q", "r", "r", None, None]
    more: dict[str, Columns] = {
        WINDOWS[0]: {"subject_id": ["p"] * 60 + [None] * 60},
        WINDOWS[1]: {"subject_id": ["q"] + ["s"] * 79},
        JUDGED: {"pixels": new, "subject_id": subjects, "source": ["a"] * 3 + ["b"] * 6},
    }
    tables = write_tables(tmp_path / "tables", COUNTS | {JUDGED: 9}, more=more)
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    counts = {name: found.counts[name] for name in ("units", "targets", "twins", "known_subjects", "window_units")}
    assert counts == {"units": 3, "targets": 3, "twins": 4, "known_subjects": 2, "window_units": 9}
    sources = {name: part.units for name, part in found.slices.items() if name.startswith("source_")}
    assert sources == {"source_a": 1, "source_b": 2}
    for name in found.metrics:
        assert sum(map(sum, found.confusion[name].counts)) == 3


def test_pictures_of_before_of_whom_nobody_knows_the_bands_are_no_twins(tmp_path: Path) -> None:
    same = bars(80, size=SIZE, seed=1)[0]
    more: dict[str, Columns] = {WINDOWS[1]: {"bands": None}, JUDGED: {"pixels": same}}
    tables = write_tables(tmp_path / "tables", COUNTS | {JUDGED: 80}, more=more)
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert (found.counts["units"], found.counts["twins"]) == (80, 0)


def test_where_everything_was_there_before_nothing_is_judged(tmp_path: Path) -> None:
    old = bars(COUNTS[WINDOWS[0]], size=SIZE, seed=0)[0][:1]
    tables = write_tables(tmp_path / "tables", COUNTS, more={JUDGED: {"pixels": old.repeat(600, 0)}})
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert (found.counts["units"], found.counts["twins"], found.counts["window_targets"]) == (0, 600, 600)
    assert found.metrics == {name: {} for name in ("candidate", "majority", "logistic")}
    assert not found.slices


def test_who_does_not_know_a_class_yet_misses_it_and_is_judged_all_the_same(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS, new="aside")
    found = evaluate(evaluate_job(tables, {"champion": write_weights(tmp_path / "weights")}))
    assert found.counts["unknown_classes.champion"] == 300
    assert "rows_waiting" not in found.counts, "tables of before do not say how many wait"
    aside = found.slices["aside"]
    assert (aside.units, aside.metrics["champion"]["accuracy"]) == (300, 0)
    assert sum(part.units for part in found.slices.values()) == 600
    assert found.metrics["champion"]["log_loss"] > -math.log(1e-15) / 2
    assert [row[3] for row in found.confusion["champion"].counts] == [0] * 4


def test_pictures_that_came_late_do_not_judge(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    weights = {"candidate": write_weights(tmp_path / "weights")}
    found = evaluate(evaluate_job(tables, weights, first_day=date(2026, 3, 4)))
    assert (found.counts["targets"], found.counts["late"]) == (0, 600)
    assert found.metrics == {name: {} for name in ("candidate", "majority", "logistic")}


def test_weights_of_other_classes_or_damaged_ones_are_not_judged(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    other = write_weights(tmp_path / "other", labels=tuple(LABELS))
    with pytest.raises(WeightsError, match="wanted the first of"):
        evaluate(evaluate_job(tables, {"candidate": other}))
    (other / "model.safetensors").write_bytes(b"")
    with pytest.raises(DamagedError):
        evaluate(evaluate_job(tables, {"candidate": other}))
