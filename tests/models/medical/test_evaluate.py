from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from models.medical.evaluate import ONE_KIND, evaluate
from models.medical.metrics import METRICS
from models.weights import WeightsError
from tests.models import jobs
from tests.models.jobs import JUDGED, WINDOWS
from tests.models.medical.tables import ALL, CONFIG, FEATURES, FINDING, write_weights
from tests.models.vision.tables import write_tables

COUNTS = {WINDOWS[0]: 120, WINDOWS[1]: 80, JUDGED: 400}
job_of = partial(jobs.evaluate_job, use_case="medical", config=CONFIG, features=FEATURES)


def test_everybody_is_judged_on_the_same_pictures_with_intervals(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    found = evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.metrics.keys() == {"candidate", *METRICS.baselines}
    assert found.counts["units"] == found.counts["targets"] == 400 - found.counts["twins"]
    assert 0 < found.counts["with_finding"] < found.counts["units"]
    assert found.metrics["logistic"]["auc"] > 0.9 > found.metrics["share"]["auc"] == 0.5
    own = found.metrics["candidate"]
    assert own.keys() == found.intervals["candidate"].keys() == set(METRICS.shown)
    for name, lies in found.intervals["candidate"].items():
        assert lies.low <= own[name] <= lies.high or name == "calibration_error"
    assert found.ahead["logistic"].high < 0


def test_the_threshold_that_was_chosen_decides_what_is_said(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    never, always = (write_weights(tmp_path / str(side), threshold=side * 20.0) for side in (1, -1))
    found = evaluate(job_of(tables, {"candidate": never, "champion": always})).metrics
    assert (found["candidate"]["sensitivity"], found["candidate"]["specificity"]) == (0, 1)
    assert (found["champion"]["sensitivity"], found["champion"]["specificity"]) == (1, 0)
    assert found["candidate"]["auc"] == found["champion"]["auc"]
    assert found["candidate"]["accuracy"] + found["champion"]["accuracy"] == pytest.approx(1)


def test_where_nothing_has_the_finding_nobody_is_told_from_another(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {**COUNTS, JUDGED: 1})
    found = evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.counts["units"] == found.counts["targets"] == 0
    assert (found.remarks, found.ahead, found.intervals) == ((ONE_KIND,), {}, {})


def test_who_looks_for_something_else_is_not_judged(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    other = next(label for label in ALL if label != FINDING)
    with pytest.raises(WeightsError, match=f"look for '{other}', and model.finding is '{FINDING}'"):
        evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights", finding=other)}))
