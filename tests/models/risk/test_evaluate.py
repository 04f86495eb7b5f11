from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from data_contracts.job import RIVALS, TablesAt
from data_contracts.manifest import DamagedError, seal, verify
from data_contracts.risk.examples import EXAMPLES
from data_contracts.table import Table
from models.metrics import state
from models.risk.baselines import Logistic
from models.risk.boosting import Boosting
from models.risk.config import BoostingConfig, RiskConfig
from models.risk.evaluate import ONE_KIND, evaluate
from models.risk.metrics import METRICS, metrics_of_part
from models.risk.rows import INPUTS, Rows, known_parties, read
from models.risk.scorers import Network, open_scorer
from models.risk.slices import parts
from models.risk.weights import RECORD
from models.weights import WeightsError
from tasks.preprocess.risk.config import FeatureConfig
from tasks.train.shape import shape_of
from tests.models.risk.tables import A_DAY, DAYS, JUDGED, KNOWN, evaluate_job, write_tables
from tests.tasks.preprocess.risk.nights import day


def test_all_are_judged_on_the_same_rows_and_the_rival_lies_where_it_can_be_published(
    tables: TablesAt, weights: Path, tmp_path: Path
) -> None:
    found = evaluate(evaluate_job(tmp_path, tables, candidate=str(weights)))
    assert list(found.metrics) == ["candidate", *METRICS.baselines, *METRICS.rivals]
    judged = read(tables, (JUDGED,)).labelled()
    assert found.counts == {
        "units": len(judged.labels),
        "targets": len(judged.labels),
        "window_units": 2 * A_DAY,
        "window_targets": 2 * A_DAY,
        "bad": judged.labels.sum(),
        "unlabelled": 2 * A_DAY - len(judged.labels),
    }
    assert found.counts["targets"] < 2 * A_DAY, "some have no label, and are counted all the same"
    for name, folder in (("candidate", weights), ("boosting", tmp_path / RIVALS / "boosting")):
        verify(folder)
        scores = open_scorer(folder).log_odds(judged.inputs)
        assert found.metrics[name]["auc"] == pytest.approx(roc_auc_score(judged.labels, scores), abs=1e-3)
        assert found.metrics[name]["ap"] == pytest.approx(average_precision_score(judged.labels, scores), abs=2e-3)
    assert min(found.metrics[name]["auc"] for name in METRICS.baselines) > 0.6
    for name, told in found.reliability.items():
        assert sum(told.counts) == len(judged.labels)
        away = np.abs(np.subtract(told.predicted, told.seen))
        assert np.average(away, weights=told.counts) == pytest.approx(found.metrics[name]["calibration_error"])
    assert list(found.reliability) == list(found.metrics)
    of_known, of_amount = ("new_parties", "strangers", "acquainted"), ("small_amounts", "large_amounts")
    for names in (of_known, of_amount):
        assert sum(found.slices[name].units for name in names) == len(judged.labels), "each row is in one of these"
    told = found.slices["large_amounts"].metrics["candidate"]
    chosen = parts(judged, read(tables, KNOWN).labelled())["large_amounts"]
    scores = open_scorer(weights).log_odds(judged.inputs)
    assert told["auc"] == pytest.approx(roc_auc_score(judged.labels[chosen], scores[chosen]), abs=1e-3)


def test_parties_are_told_apart_by_what_they_did_and_amounts_by_what_is_usual() -> None:
    rows = np.zeros((5, len(INPUTS)), np.float32)

    def put(name: str, *numbers: float) -> None:
        rows[:, INPUTS.index(name)] = numbers

    put("from_gave_count", 0, 1, 1, 1, 0)
    put("to_got_count", 1, 0, 1, 1, 0)
    put("to_gave_count", 0, 1, 0, 0, 1)
    put("from_got_count", 0, 0, 0, 0, 1)
    put("back_count", 0, 0, 0, 1, 0)
    put("size", 3, 5, 4, 0, 6)
    put("size_known", 1, 1, 1, 0, 1)
    judged = Rows(rows, np.zeros(5, np.float32))
    found = parts(judged, judged)
    assert {name: np.flatnonzero(chosen).tolist() for name, chosen in found.items()} == {
        "new_parties": [0],
        "strangers": [1, 2, 4],
        "acquainted": [3],
        "small_amounts": [0, 2],
        "large_amounts": [1, 4],
        "unknown_amounts": [3],
    }
    assert not parts(judged, judged.taken(np.array([3])))["small_amounts"].any(), "no amount was known before"


def test_the_rival_takes_part_as_a_champion_and_is_the_same_when_it_is_trained_again(
    tables: TablesAt, tmp_path: Path
) -> None:
    evaluate(evaluate_job(tmp_path / "one", tables))
    champion = tmp_path / "one" / RIVALS / "boosting"
    found = evaluate(evaluate_job(tmp_path / "two", tables, champion=str(champion)))
    assert found.metrics["champion"] == found.metrics["boosting"]
    assert shape_of(champion, RiskConfig(), FeatureConfig()) == {}, "no network goes on from trees"
    trees = [(tmp_path / name / RIVALS / "boosting" / "boosting.txt").read_text() for name in ("one", "two")]
    assert trees[0] == trees[1]


def test_what_is_older_than_the_windows_first_day_does_not_judge(tables: TablesAt, tmp_path: Path) -> None:
    found = evaluate(evaluate_job(tmp_path, tables, first_day=day(DAYS - 1)))
    assert found.counts["window_targets"] == A_DAY


def test_what_became_known_in_the_window_judges_whenever_it_happened(tmp_path: Path) -> None:
    tables = write_tables(tmp_path)
    examples, window = Table(tables.folder, EXAMPLES), pc.field("window")
    of_before = pl.DataFrame(examples.read(where=window == KNOWN[0])).filter(pl.col("label") == 1)[:2]
    said = datetime.combine(day(DAYS - 1), time(12), UTC)
    later = of_before.with_columns(pl.Series("known_at", [None, said], pl.Datetime("us", "UTC")), window=pl.lit(JUDGED))
    version = examples.commit(examples.write(later.to_arrow(), "later"), ["later"])
    tables = tables.model_copy(update={"versions": {**tables.versions, EXAMPLES.name: version}})
    found = evaluate(evaluate_job(tmp_path, tables))
    assert found.counts["window_targets"] == 2 * A_DAY + 1


def test_a_window_of_which_nobody_said_anything_judges_nobody(tables: TablesAt, tmp_path: Path) -> None:
    job = evaluate_job(tmp_path, tables).model_copy(update={"window": day(DAYS).isoformat()})
    found = evaluate(job)
    assert (found.counts["targets"], found.counts["window_targets"], found.remarks) == (0, 0, (ONE_KIND,))


def test_a_window_with_labels_of_one_kind_says_so_and_judges_nobody(
    tables: TablesAt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_good(*arguments: object, **named: object) -> Rows:
        rows = read(*arguments, **named)  # type: ignore[arg-type]
        return Rows(rows.inputs, np.where(rows.labels == 1, 0, rows.labels)) if "since" in named else rows

    monkeypatch.setattr("models.risk.evaluate.read", all_good)
    found = evaluate(evaluate_job(tmp_path, tables))
    assert (found.counts["targets"], found.remarks) == (0, (ONE_KIND,))
    assert not found.slices, "nobody is judged, so no part of it is"
    assert len(found.reliability) == len(found.metrics), "chances can be compared with what came all the same"


@pytest.mark.parametrize(
    ("labels", "left_out"),
    [
        pytest.param([0, 1], set(), id="both kinds"),
        pytest.param([1, 1], {"auc", "ap"}, id="all bad"),
        pytest.param([0, 0], {"auc", "ap"}, id="all good"),
    ],
)
def test_of_a_part_of_one_kind_all_is_said_but_how_well_the_kinds_are_told_apart(
    labels: list[int], left_out: set[str]
) -> None:
    found = metrics_of_part(state(np.array([-1.0, 2.0]), np.array(labels)), RiskConfig())
    assert found.keys() == set(METRICS.shown) - left_out
    assert np.isfinite(list(found.values())).all()
    diverged = metrics_of_part(state(np.array([-1.0, np.nan]), np.array(labels)), RiskConfig())
    assert np.isnan(list(diverged.values())).all()


def test_logs_with_labels_of_one_kind_alone_are_refused(tables: TablesAt) -> None:
    rows = read(tables, KNOWN).labelled()
    with pytest.raises(ValueError, match="known transactions with a label are good: what makes a difference"):
        Logistic(Rows(rows.inputs, np.zeros_like(rows.labels)))


def test_a_damaged_contestant_is_not_judged(tables: TablesAt, weights: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(weights, tmp_path / "damaged"))
    (damaged / RECORD).write_text("{}")
    with pytest.raises(DamagedError, match=RECORD):
        evaluate(evaluate_job(tmp_path, tables, candidate=str(damaged)))


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param({"kind": "oracle"}, "of kind 'oracle', wanted 'network' or 'boosting'", id="unknown kind"),
        pytest.param({"features": ["size"]}, "learned from other features", id="other features"),
    ],
)
def test_what_does_not_fit_this_code_is_refused(
    weights: Path, tmp_path: Path, told: dict[str, object], wanted: str
) -> None:
    folder = Path(shutil.copytree(weights, tmp_path / "other"))
    record = json.loads((folder / RECORD).read_text()) | told
    (folder / RECORD).write_text(json.dumps(record))
    seal(folder)
    with pytest.raises(WeightsError, match=wanted):
        open_scorer(folder)


def test_trees_say_which_features_moved_an_answer_and_that_adds_up(tables: TablesAt) -> None:
    rows = read(tables, KNOWN).labelled()
    trees = Boosting.of(rows, BoostingConfig(rounds=20), seed=0)
    moved = trees.moved_by(rows.inputs[:50])
    usual = trees.log_odds(rows.inputs[:50]) - moved.sum(axis=1)
    np.testing.assert_allclose(usual, usual[0], atol=1e-6)
    assert not moved[:, :2].any(), "they look at no number of a party"


def test_a_network_says_by_how_much_each_input_moved_it(tables: TablesAt, weights: Path) -> None:
    scorer = open_scorer(weights)
    assert isinstance(scorer, Network)
    inputs = read(tables, KNOWN).inputs[:3]
    moved = scorer.moved_by(inputs)
    without = inputs.copy()
    without[:, 1] = 0
    np.testing.assert_allclose(moved[:, 1], scorer.log_odds(inputs) - scorer.log_odds(without), atol=1e-6)
    assert (moved[:, 1] != 0).all()


def test_a_party_that_a_network_does_not_know_is_to_it_as_any_other(tables: TablesAt, weights: Path) -> None:
    scorer, known = open_scorer(weights), known_parties(tables, KNOWN)
    inputs = np.repeat(read(tables, KNOWN).inputs[:1], 4, axis=0)
    inputs[:, 0] = [1, 0, known + 1, 2**24]
    one, *unknown = scorer.log_odds(inputs)
    assert len(set(unknown)) == 1
    assert one != unknown[0]
