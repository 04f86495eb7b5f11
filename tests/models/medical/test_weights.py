from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.medical.module import MedicalModule
from models.medical.scorer import Scorer
from models.medical.weights import save
from models.metrics import Scores, chance
from models.thresholds import best_threshold, decided
from models.vision.apart import validates
from models.vision.reading import Form, batches, classes
from tests.models.jobs import WINDOWS
from tests.models.medical.tables import ALL, CONFIG, FEATURES, FINDING, write_weights
from tests.models.vision.tables import fit_job, write_tables


@pytest.mark.parametrize("specificity", [0.5, 0.9, None])
def test_what_is_saved_is_calibrated_by_the_pictures_that_validate(tmp_path: Path, specificity: float | None) -> None:
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: 40, WINDOWS[1]: 2_000})
    fit = {"batch_size": 24, "seed": 4}  # fresh weights that tell a little
    told = {**CONFIG, "fit": fit, "specificity": specificity, "abstains": {"low": 0.2, "high": 0.4}}
    job = fit_job(tables, tmp_path, use_case="medical", config=told)
    save(MedicalModule.of(job), tmp_path / "weights")
    scorer = Scorer.open(tmp_path / "weights")
    form, seen, has_it = Form.of(FEATURES), list[float](), list[bool]()
    for some in batches(tables, [WINDOWS[1]], ["pixels", "class_number", "subject_id"]):
        batch = some.filter(validates(some, WINDOWS[1], job.validation))
        seen += scorer.log_odds(form.pixels(batch)).tolist()
        has_it += (classes(batch) == ALL.index(FINDING)).tolist()
    assert len(seen) > 50, "one in twenty validates"
    assert chance(np.array(seen)).mean() == pytest.approx(sum(has_it) / len(has_it), abs=0.02)
    sums = Scores.of(np.array(seen), np.array(has_it)).state()
    found = decided(sums, scorer.threshold)
    if specificity is None:
        assert found == decided(sums, best_threshold(sums))
    else:
        assert specificity <= found.specificity < specificity + 0.1
    assert scorer.reading.abstains is not None
    assert scorer.reading.abstains.high == 0.4


def test_without_validating_pictures_even_chance_says_yes(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: 40, WINDOWS[1]: 1})
    job = fit_job(tables, tmp_path, use_case="medical", config=CONFIG)
    save(MedicalModule.of(job), tmp_path / "weights")
    reading = Scorer.open(tmp_path / "weights").reading
    assert (reading.scale, reading.offset, reading.threshold) == (1.0, 0.0, 0.0)


def test_a_finding_that_no_label_is_fails_with_the_setting(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: 40, WINDOWS[1]: 40})
    job = fit_job(tables, tmp_path, use_case="medical", config={**CONFIG, "finding": "dragon"})
    with pytest.raises(ValueError, match=r"model\.finding is 'dragon'"):
        MedicalModule.of(job)


def test_with_few_pictures_what_was_chosen_before_goes_on(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {WINDOWS[0]: 40, WINDOWS[1]: 40})
    champion = write_weights(tmp_path / "champion", scale=2.0, offset=0.5, threshold=-1.0, pictures=99)
    for start, wanted in ((champion, (2.0, 0.5, -1.0, 99)), (None, (1.0, 0.0, 0.0, 0))):
        told = {"use_case": "medical", "config": CONFIG, "warm_start": None if start is None else str(start)}
        save(MedicalModule.of(fit_job(tables, tmp_path, **told)), tmp_path / f"{start is None}")
        found = Scorer.open(tmp_path / f"{start is None}").reading
        assert (found.scale, found.offset, found.threshold, found.pictures) == wanted
