from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.medical.evaluate import ONE_KIND, evaluate
from models.medical.metrics import METRICS
from models.weights import WeightsError
from tests.data_contracts.vision.made_up import LABELS, bars
from tests.models import jobs
from tests.models.jobs import JUDGED, WINDOWS
from tests.models.medical.tables import ALL, CONFIG, FEATURES, FINDING, write_weights
from tests.models.vision.tables import SIZE, write_tables

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
    assert (found.remarks, found.ahead, found.intervals) == ((ONE_KIND, *found.remarks[1:]), {}, {})


def test_who_looks_for_something_else_is_left_out_but_the_candidate_must_not(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", COUNTS)
    other = next(label for label in ALL if label != FINDING)
    stranger = write_weights(tmp_path / "stranger", finding=other)
    found = evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights"), "champion": stranger}))
    assert "champion" not in found.metrics
    assert f"Not judged, champion: it looks for '{other}', and model.finding is '{FINDING}'." in found.remarks
    with pytest.raises(WeightsError, match=f"candidate looks for '{other}', and model.finding is '{FINDING}'"):
        evaluate(job_of(tables, {"candidate": stranger}))


def test_hospitals_are_judged_by_themselves_and_one_of_a_single_kind_has_no_auc(tmp_path: Path) -> None:
    _, numbers = bars(400, size=SIZE, seed=2)
    has_it = np.array([LABELS[number] == FINDING for number in numbers])
    sources = np.where(has_it & (np.arange(400) % 2 == 0), "ill alone", "both").tolist()
    subjects = [f"patient {number}" for number in range(400)]
    before = [*subjects[:25], *[None] * 95]
    more = {JUDGED: {"source": sources, "subject_id": subjects}, WINDOWS[0]: {"subject_id": before}}
    tables = write_tables(tmp_path / "tables", COUNTS, more=more)
    found = evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights")}))
    assert found.counts["known_subjects"] + found.counts["twins"] >= 25
    assert found.counts["units"] == 400 - found.counts["known_subjects"] - found.counts["twins"]
    alone, both = (found.slices[f"source_{name}"] for name in ("ill alone", "both"))
    assert alone.units + both.units == found.counts["units"]
    assert alone.metrics["candidate"].keys() == set(METRICS.shown) - {"auc", "sensitivity_at_95", "specificity"}
    assert both.metrics["candidate"].keys() == set(METRICS.shown)


@pytest.mark.parametrize(("pictures", "said"), [(0, True), (40, False)])
def test_who_is_not_calibrated_is_named(tmp_path: Path, pictures: int, said: bool) -> None:  # noqa: FBT001
    tables = write_tables(tmp_path / "tables", COUNTS)
    found = evaluate(job_of(tables, {"candidate": write_weights(tmp_path / "weights", pictures=pictures)}))
    assert any("The candidate is not calibrated" in remark for remark in found.remarks) is said
