"""Weights on disk: those of vision, and ``reading.json``, which says how their numbers are read."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from data_contracts.job import FitJob
from models.calibration import calibrated
from models.medical.config import MedicalConfig
from models.medical.module import MedicalModule
from models.medical.scorer import CHOSEN, Reading, Scorer
from models.metrics import Scores
from models.thresholds import best_threshold, threshold_of
from models.vision import weights
from models.vision.apart import validates
from models.vision.reading import Form, batches, classes

LEAST_OF_A_KIND = 15
"""Validating pictures with the finding, and without, by which anything is chosen: fewer say too little."""

logger = logging.getLogger(__name__)


def save(module: MedicalModule, folder: Path) -> None:
    """Write the weights, and how they are read: chosen here, by the pictures that validated them.

    Raises:
        ValueError: No class is called as what is looked for.
    """
    weights.save(module.weights, folder)
    config = MedicalConfig.model_validate(module.job.config)
    plain = Reading(finding=config.finding, abstains=config.abstains)
    chosen = _chosen(Scorer(weights.load(folder), plain), module.job, config)
    (folder / CHOSEN).write_text(chosen.model_dump_json(indent=2), encoding="utf-8")


def _chosen(scorer: Scorer, job: FitJob, config: MedicalConfig) -> Reading:
    """Calibrate a network, and choose the threshold, by the pictures that validate."""
    form, number = Form.of(job.features), scorer.record.labels.index(config.finding)
    log_odds, has_it = [np.empty(0)], [np.empty(0, np.bool_)]
    window = job.validation.window
    for some in batches(job.tables, [window], ["pixels", "class_number", "subject_id"]):
        batch = some.filter(validates(some, window, job.validation))
        log_odds.append(scorer.log_odds(form.pixels(batch)))
        has_it.append(classes(batch) == number)
    seen, targets = np.concatenate(log_odds), np.concatenate(has_it)
    if min(targets.sum(), (~targets).sum()) < LEAST_OF_A_KIND or not np.isfinite(seen).all():
        logger.warning(
            "%s of %s validating pictures show %r: wanted are %s with it, and %s without, to choose how it is read",
            *(f"{targets.sum():,}", f"{len(targets):,}", config.finding, LEAST_OF_A_KIND, LEAST_OF_A_KIND),
        )
        return _of_before(job, scorer.reading)
    calibration = calibrated(seen, targets)
    sums = Scores.of(calibration(seen), targets.astype(np.int8)).state()
    threshold = best_threshold(sums) if config.specificity is None else threshold_of(sums, config.specificity)
    logger.info(
        "%s pictures validated, %s with %r: scale %.3f, offset %+.3f; yes from a chance of %.3f on",
        *(f"{len(targets):,}", f"{targets.sum():,}", config.finding, *calibration, 1 / (1 + np.exp(-threshold))),
    )
    return scorer.reading.model_copy(update={**calibration._asdict(), "threshold": threshold, "pictures": len(targets)})


def _of_before(job: FitJob, plain: Reading) -> Reading:
    """Return how the weights are read that a training started from, where they look for the same; else nothing."""
    file = Path(job.warm_start or "") / CHOSEN
    if job.warm_start is None or not file.exists():
        return plain
    before = Reading.model_validate_json(file.read_text(encoding="utf-8"))
    return before.model_copy(update={"abstains": plain.abstains}) if before.finding == plain.finding else plain
