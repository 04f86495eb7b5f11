"""Judges contestants on the window that nobody trained on: the same transactions for all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.days import start_of
from data_contracts.evidence import Judgement
from data_contracts.job import RIVALS, EvaluateJob
from data_contracts.manifest import publish, verify
from data_contracts.risk.examples import EXAMPLES
from data_contracts.waiting import counted
from models.bootstrap import compare
from models.metrics import Floats as Floats64
from models.metrics import Scores
from models.reliability import reliabilities
from models.risk.baselines import Logistic, ShareOfBad
from models.risk.boosting import Boosting
from models.risk.config import RiskConfig
from models.risk.metrics import METRICS, metric, metrics, metrics_of_part
from models.risk.rows import Floats, Rows, read
from models.risk.scorers import open_scorer
from models.risk.slices import parts
from models.slices import Flags, sliced

ONE_KIND = (
    "All labels of the window are the same, or there are none: nobody can be told from another, so none is judged."
)

logger = logging.getLogger(__name__)


class Contestant(Protocol):
    """Scores transactions."""

    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """Return log-odds of bad, (rows,), for inputs as `models.risk.rows.as_floats` makes them."""
        ...


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant, both baselines, and boosting, which is trained here on what is known.

    Returns:
        Every metric of every contestant on the transactions of the window's own days that have a label. Counts:
        ``units`` and ``targets``, these transactions; ``window_units`` and ``window_targets``, all of its own days;
        ``bad``, those of them that are; ``unlabelled``, the others of the window; those of `Waiting`. Slices:
        `models.risk.slices.parts`, by `metrics_of_part`; none where nobody is judged.

    Raises:
        DamagedError: A contestant's folder is not as it was sealed.
        ValueError: A contestant does not fit these features, or nothing is known.
    """
    config = RiskConfig.model_validate(job.config)
    since = None if job.first_day is None else start_of(job.first_day, job.day_zone)
    window = read(job.tables, (job.window,), since=since)
    judged = window.labelled()
    counts = _counts(job, window, judged)
    known = read(job.tables, job.known_windows).labelled()
    contestants = _contestants(job, config, known)
    scores = {name: Scores.of(_asked(one, judged.inputs), judged.labels) for name, one in contestants.items()}
    by = METRICS.decided_by(job.metric)

    def values(weights: Floats64) -> dict[str, float]:
        return {name: metric(score.state(weights), by.primary, config) for name, score in scores.items()}

    chosen, ahead = compare(by, values, counts["units"])
    found = parts(judged, known) if counts["units"] else {}
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: metrics(score.state(), config) for name, score in scores.items()},
        counts=counts,
        remarks=() if counts["units"] else (ONE_KIND,),
        slices=sliced(found, {name: partial(_of_part, score, config) for name, score in scores.items()}),
        reliability=dict(reliabilities(scores)),
    )


def _counts(job: EvaluateJob, window: Rows, judged: Rows) -> dict[str, int]:
    """Say how many are judged, how many there are, and what waits, see `evaluate`."""
    bad, labelled, whole = int(judged.labels.sum()), len(judged.labels), len(window.labels)
    units = labelled if 0 < bad < labelled else 0
    return {
        "units": units,
        "targets": units,
        "window_units": whole,
        "window_targets": whole,
        "bad": bad,
        "unlabelled": whole - labelled,
        **counted(job.tables, EXAMPLES),
    }


def _of_part(score: Scores, config: RiskConfig, part: Flags) -> dict[str, float]:
    return metrics_of_part(score.state(part.astype(np.float64)), config)


def _asked(contestant: Contestant, inputs: Floats) -> NDArray[np.float64]:
    """Ask for scores; of no rows at all, none: neither trees nor scikit-learn take such."""
    return contestant.log_odds(inputs) if len(inputs) else np.empty(0)


def _contestants(job: EvaluateJob, config: RiskConfig, known: Rows) -> Mapping[str, Contestant]:
    found: dict[str, Contestant] = {}
    for name, folder in job.contestants.items():
        verify(Path(folder))
        found[name] = open_scorer(Path(folder))
    found["share_of_bad"] = ShareOfBad()
    found["logistic"] = Logistic(known)
    found["boosting"] = _boosting(known, config, Path(job.work_folder) / RIVALS / "boosting")
    logger.info("%s known transactions, %s contestants", f"{len(known.labels):,}", len(found))
    return found


def _boosting(known: Rows, config: RiskConfig, folder: Path) -> Boosting:
    """Train the rival, and leave it where it can be published from."""
    rival = Boosting.of(known, config.boosting, config.fit.seed)
    staged = folder.with_name(f".{folder.name}")
    shutil.rmtree(staged, ignore_errors=True)
    rival.save(staged)
    publish(staged, folder, "rival")
    return rival
