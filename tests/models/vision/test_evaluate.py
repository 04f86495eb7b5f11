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
from tests.data_contracts.vision.made_up import LABELS
from tests.models.jobs import WINDOWS
from tests.models.vision.tables import evaluate_job, write_tables, write_weights

COUNTS = {WINDOWS[0]: 120, WINDOWS[1]: 80, "2026-03-03": 600}


def test_everybody_is_judged_on_the_same_pictures(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS, waiting=Waiting(rows_waiting=7, labels_given_up=2))
    found = evaluate(evaluate_job(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.metrics.keys() == {"candidate", *METRICS.baselines}
    assert found.counts["units"] == found.counts["targets"] == found.counts["window_targets"] == 600
    assert (found.counts["rows_waiting"], found.counts["labels_given_up"], found.counts["late"]) == (7, 2, 0)
    for name in found.metrics:
        assert sum(map(sum, found.confusion[name].counts)) == 600
    assert found.metrics["logistic"]["accuracy"] > found.metrics["majority"]["accuracy"] > 0.2


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
