"""Judges contestants on the window that nobody trained on: the same transactions for all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.days import start_of
from data_contracts.evidence import Judgement, Reliability
from data_contracts.job import RIVALS, EvaluateJob
from data_contracts.manifest import publish, verify
from data_contracts.risk.examples import EXAMPLES
from data_contracts.table import Table
from data_contracts.waiting import Waiting
from models.bootstrap import compare
from models.metrics import Floats as Floats64
from models.metrics import Scores, calibration
from models.risk.baselines import Logistic, ShareOfBad
from models.risk.boosting import Boosting
from models.risk.config import RiskConfig
from models.risk.metrics import METRICS, metric, metrics
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
        `models.risk.slices.parts`; one that has labels of one kind alone has units and no metric.

    Raises:
        DamagedError: A contestant's folder is not as it was sealed.
        ValueError: A contestant does not fit these features, or nothing is known.
    """
    config = RiskConfig.model_validate(job.config)
    since = None if job.first_day is None else start_of(job.first_day, job.day_zone)
    window = read(job.tables, (job.window,), since=since)
    judged = window.labelled()
    bad = int(judged.labels.sum())
    can_be_judged = 0 < bad < len(judged.labels)
    known = read(job.tables, job.known_windows).labelled()
    contestants = _contestants(job, config, known)
    scores = {name: Scores.of(_asked(one, judged.inputs), judged.labels) for name, one in contestants.items()}
    by = METRICS.decided_by(job.metric)
    units = len(judged.labels) if can_be_judged else 0

    def values(weights: Floats64) -> dict[str, float]:
        return {name: metric(score.state(weights), by.primary, config) for name, score in scores.items()}

    def judge(score: Scores, part: Flags) -> dict[str, float]:
        return metrics(score.state(part.astype(np.float64)), config) if len(set(judged.labels[part])) > 1 else {}

    chosen, ahead = compare(by, values, units)
    waiting = Waiting.of(Table(job.tables.folder, EXAMPLES), job.tables.versions[EXAMPLES.name])
    others = {"unlabelled": len(window.labels) - len(judged.labels), **(waiting.model_dump() if waiting else {})}
    of_window = dict.fromkeys(("window_units", "window_targets"), len(window.labels))
    of_judged = dict.fromkeys(("units", "targets"), units)
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: metrics(score.state(), config) for name, score in scores.items()},
        counts={**of_judged, **of_window, "bad": bad, **others},
        remarks=() if can_be_judged else (ONE_KIND,),
        slices=sliced(parts(judged, known), {name: partial(judge, score) for name, score in scores.items()}),
        reliability=dict(_reliabilities(scores)),
    )


def _asked(contestant: Contestant, inputs: Floats) -> NDArray[np.float64]:
    """Ask for scores; of no rows at all, none: neither trees nor scikit-learn take such."""
    return contestant.log_odds(inputs) if len(inputs) else np.empty(0)


def _reliabilities(scores: Mapping[str, Scores]) -> Iterator[tuple[str, Reliability]]:
    """Yield how far chances can be counted on; nothing of a contestant that gave no number, or was not asked."""
    for name, score in scores.items():
        state = score.state()
        if not np.isnan(state).any() and state.any():
            found = calibration(state)
            counts = tuple(np.rint(found.weight).astype(int).tolist())
            yield name, Reliability(predicted=tuple(found.predicted), seen=tuple(found.seen), counts=counts)


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
