"""Judges contestants on the window that nobody trained on: every picture that may judge, the same for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data_contracts.evidence import Judgement
from data_contracts.job import EvaluateJob
from data_contracts.manifest import verify
from data_contracts.version import CANDIDATE
from data_contracts.vision.pictures import Pixels
from models.bootstrap import compare, intervals
from models.medical.config import MedicalConfig
from models.medical.metrics import METRICS, metric, metrics, metrics_of_part
from models.medical.scorer import Scorer
from models.metrics import Floats, Scores, log_odds
from models.reliability import reliabilities
from models.slices import Flags, by_value, sliced
from models.vision import evaluate as of_vision
from models.vision.apart import Judging, judged, judging
from models.vision.reading import Form, classes, labels
from models.weights import WeightsError

ONE_KIND = (
    "All pictures of the window have the finding, or none has it: nobody can be told from another, so none is judged."
)


class Contestant(Protocol):
    """Says how likely it is that pictures show the finding."""

    @property
    def threshold(self) -> float:
        """Log-odds from which on it says that they do."""
        ...

    def log_odds(self, pixels_BHWC: Pixels) -> Floats:
        """Return log-odds of the finding, (B,)."""
        ...


class Baseline:
    """A contestant of vision, asked for one class; it says yes of what is more likely than not.

    Args:
        of_classes: Says how likely each class is.
        number: Of the finding's.
    """

    threshold = 0.0

    def __init__(self, of_classes: of_vision.Contestant, number: int) -> None:
        self._of_classes, self._number = of_classes, number

    def log_odds(self, pixels_BHWC: Pixels) -> Floats:
        """See `Contestant.log_odds`."""
        return log_odds(self._of_classes.probabilities(pixels_BHWC)[:, self._number])


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant and two baselines, a few pictures at a time.

    Returns:
        `models.medical.metrics.metrics` by contestant, ``share`` and ``logistic``, and where those of who is to be
        published lie. Counts are those of `models.vision.evaluate`, and ``with_finding``. Slices are by source.

    Raises:
        DamagedError: Weights are not as they were written.
        FileNotFoundError: A table, or its version, is not there.
        ValueError: A contestant does not know the finding.
        WeightsError: A contestant was trained on other classes, or the candidate looks for something else.
    """
    config = MedicalConfig.model_validate(job.config)
    form, known = Form.of(job.features), labels(job.tables)
    opened = {name: _opened(Path(folder), known) for name, folder in job.contestants.items()}
    contestants = {name: one for name, one in opened.items() if one.reading.finding == config.finding}
    others = {name: one.reading.finding for name, one in opened.items() if name not in contestants}
    if CANDIDATE in others:
        raise WeightsError(f"the candidate looks for {others[CANDIDATE]!r}, and model.finding is {config.finding!r}.")
    number = known.index(config.finding)
    majority, logistic = of_vision.baselines(job, form, known).values()
    everybody: dict[str, Contestant] = {
        **contestants,
        "share": Baseline(majority, number),
        "logistic": Baseline(logistic, number),
    }
    found = judging(job)
    scores, has_it, parts = _scored(job, found, form, everybody, number)
    by = METRICS.decided_by(job.metric)
    units = len(has_it) if 0 < has_it.sum() < len(has_it) else 0

    def of(name: str, weights: Floats | None = None) -> dict[str, float]:
        return metrics(scores[name].state(weights), everybody[name].threshold)

    def deciding(weights: Floats) -> dict[str, float]:
        return {name: metric(by.primary, scores[name].state(weights), one.threshold) for name, one in everybody.items()}

    chosen, ahead = compare(by, deciding, units)
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: of(name) for name in everybody},
        counts={**of_vision.counts_of(job, found, units), "with_finding": int(has_it.sum())},
        remarks=(*(() if units else (ONE_KIND,)), *_remarks(contestants, others, config.finding)),
        slices=sliced(parts, {name: partial(_of_part, scores[name], one.threshold) for name, one in everybody.items()}),
        reliability=dict(reliabilities(scores)),
        intervals={chosen: intervals(partial(of, chosen), units)} if units else {},
    )


def _opened(folder: Path, known: tuple[str, ...]) -> Scorer:
    verify(folder)
    scorer = Scorer.open(folder)
    of_vision.refuse_others(folder, scorer.record.labels, known)
    return scorer


def _remarks(contestants: Mapping[str, Scorer], others: Mapping[str, str], finding: str) -> Iterator[str]:
    """Say who is not compared with, and who is not calibrated."""
    for name, other in others.items():
        yield f"Not judged, {name}: it looks for {other!r}, and model.finding is {finding!r}."
    for name, one in contestants.items():
        if not one.reading.pictures:
            yield f"The {name} is not calibrated, and says yes from even chance on: too few pictures validated it."


def _scored(
    job: EvaluateJob, found: Judging, form: Form, everybody: Mapping[str, Contestant], number: int
) -> tuple[dict[str, Scores], NDArray[np.bool_], dict[str, Flags]]:
    """Ask everybody; return what they say, which pictures have the finding, and the parts that these are in."""
    said = {name: [np.empty(0)] for name in everybody}
    has_it, sources = [np.empty(0, np.bool_)], [pa.array([], pa.string())]
    for batch in judged(job, found, ["pixels", "class_number", "source"]):
        pixels = form.pixels(batch)
        has_it.append(classes(batch) == number)
        sources.append(batch["source"])
        for name, one in everybody.items():
            said[name].append(one.log_odds(pixels))
    targets = np.concatenate(has_it)
    scores = {name: Scores.of(np.concatenate(each), targets.astype(np.int8)) for name, each in said.items()}
    return scores, targets, by_value(pa.chunked_array(sources), "source")


def _of_part(score: Scores, threshold: float, part: Flags) -> dict[str, float]:
    return metrics_of_part(score.state(part.astype(np.float64)), threshold)
