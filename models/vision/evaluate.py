"""Judges contestants on the window that nobody trained on: every labelled image of its own days, the same for all."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from data_contracts.evidence import Judgement
from data_contracts.job import EvaluateJob
from data_contracts.manifest import verify
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.pictures import Pixels
from data_contracts.waiting import counted
from models.bootstrap import compare, means
from models.reading import on_its_days
from models.vision.baselines import MOST_IMAGES, Logistic, Majority
from models.vision.metrics import FEW_CLASSES, METRICS, Counts, Floats, of_classes, of_each
from models.vision.reading import Form, batches, classes, count_classes, drawn, labels
from models.vision.weights import load
from models.weights import WeightsError

IMAGES_AT_ONCE = 64
"""That pass through a network together."""

logger = logging.getLogger(__name__)


class Contestant(Protocol):
    """Says what images show."""

    def probabilities(self, pixels_BHWC: Pixels) -> Floats:
        """Return the probability of each class that there is, (B, C)."""
        ...


class Learned:
    """A network; of classes that came after it, it never says one.

    Args:
        folder: Of its weights, verified here.
        labels: Of all classes that there are, by number.

    Raises:
        DamagedError: The weights are not as they were written.
        WeightsError: They were trained on other classes.
    """

    def __init__(self, folder: Path, labels: tuple[str, ...]) -> None:
        verify(folder)
        self._network, record = load(folder)
        self.knows = len(record.labels)
        if record.labels != labels[: self.knows]:
            raise WeightsError(f"weights in {folder} know {list(record.labels)}, wanted the first of {list(labels)}.")
        self._later = len(labels) - self.knows

    @torch.inference_mode()
    def probabilities(self, pixels_BHWC: Pixels) -> Floats:
        """See `Contestant.probabilities`."""
        pieces = torch.split(torch.from_numpy(np.array(pixels_BHWC)), IMAGES_AT_ONCE)
        logit_BC = torch.cat([self._network(piece) for piece in pieces])
        return np.pad(logit_BC.double().softmax(dim=1).numpy(), ((0, 0), (0, self._later)))


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant and two baselines, a few images at a time.

    Returns:
        `Counts.metrics` by contestant, ``majority`` and ``logistic``. Counts: ``units`` and ``targets``, which are
        images, all of the window's days: nothing is left out; ``late``, which are not; those of `Waiting`;
        ``unknown_classes.<contestant>``, images that it must miss. Slices, and what was taken for
        what, are of each class, where classes are few.

    Raises:
        DamagedError: Weights are not as they were written.
        FileNotFoundError: A table, or its version, is not there.
        WeightsError: A contestant was trained on other classes.
    """
    form, known = Form.of(job.features), labels(job.tables)
    contestants = {name: Learned(Path(folder), known) for name, folder in job.contestants.items()}
    everybody: dict[str, Contestant] = {**contestants, **_baselines(job, form, known)}
    by = METRICS.decided_by(job.metric)
    counts, of_images, late = _judged(job, form, everybody, len(known), by.primary)
    of_class = next(iter(counts.values())).images
    unknown = {f"unknown_classes.{name}": int(of_class[each.knows :].sum()) for name, each in contestants.items()}
    images = int(of_class.sum())
    all_judge = dict.fromkeys(("units", "targets", "window_units", "window_targets"), images)
    chosen, ahead = compare(by, means(of_images), images)
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: each.metrics() for name, each in counts.items()},
        slices=of_classes(counts, known),
        counts={**all_judge, "late": late, **counted(job.tables, EXAMPLES), **unknown},
        confusion={name: each.confusion(known) for name, each in counts.items() if len(known) <= FEW_CLASSES},
        reliability={name: each.reliability() for name, each in counts.items() if not each.has_diverged},
    )


def _judged(
    job: EvaluateJob, form: Form, everybody: Mapping[str, Contestant], classes_in_all: int, metric: str
) -> tuple[dict[str, Counts], dict[str, Floats], int]:
    """Return by contestant what is to be known of all images, and ``metric`` of each; and how many came late."""
    nothing = Counts.of(np.empty((0, classes_in_all)), np.empty(0, np.int64))
    counts, late = dict.fromkeys(everybody, nothing), 0
    of_images = {name: [np.empty(0)] for name in everybody}
    for batch in batches(job.tables, [job.window], ["pixels", "class_number", "seen_at"]):
        own = on_its_days(batch, "seen_at", job)
        late += batch.num_rows - own.num_rows
        pixels, class_B = form.pixels(own), classes(own)
        for name, contestant in everybody.items():
            probability_BC = contestant.probabilities(pixels)
            counts[name] += Counts.of(probability_BC, class_B)
            of_images[name].append(of_each(metric, probability_BC, class_B))
    return counts, {name: np.concatenate(each) for name, each in of_images.items()}, late


def _baselines(job: EvaluateJob, form: Form, known: tuple[str, ...]) -> Mapping[str, Contestant]:
    """Count, and learn by a linear model, what was there before the window."""
    counts = count_classes(job.tables, job.known_windows, len(known))
    if not counts.any():
        raise ValueError(f"no labelled image in windows {', '.join(job.known_windows)}: baselines know nothing.")
    learned_from = min(MOST_IMAGES, int(counts.sum()))
    logger.info("window %s: the linear model learns from %s images", job.window, f"{learned_from:,}")
    pieces = drawn(job.tables, job.known_windows, learned_from, seed=0, night=job.known_windows[-1])
    logistic = Logistic(((form.pixels(piece), classes(piece)) for piece in pieces), len(known))
    return {"majority": Majority(counts), "logistic": logistic}
