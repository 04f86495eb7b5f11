"""Judges contestants on the window that nobody trained on: labelled images of its own days, the same for all.

A picture that was there before, or one of somebody of whom there was one, is left out, and counted: it may have been
learned by heart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch

from data_contracts.evidence import Judgement
from data_contracts.job import EvaluateJob
from data_contracts.manifest import verify
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.pictures import Pixels
from data_contracts.waiting import counted
from models.bootstrap import compare, means
from models.reading import drawn
from models.slices import Flags, by_value, sliced
from models.vision.apart import Judging, judged, judging
from models.vision.baselines import MOST_IMAGES, Logistic, Majority
from models.vision.metrics import FEW_CLASSES, METRICS, Counts, Floats, of_classes, of_each
from models.vision.reading import LEARNED, Form, classes, count_classes, dataset_of, labels
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
        refuse_others(folder, record.labels, labels)
        self._later = len(labels) - self.knows

    @torch.inference_mode()
    def probabilities(self, pixels_BHWC: Pixels) -> Floats:
        """See `Contestant.probabilities`."""
        pieces = torch.split(torch.from_numpy(np.array(pixels_BHWC)), IMAGES_AT_ONCE)
        logit_BC = torch.cat([self._network(piece) for piece in pieces])
        return np.pad(logit_BC.double().softmax(dim=1).numpy(), ((0, 0), (0, self._later)))


def refuse_others(folder: Path, known: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """See that weights know the first classes of those that there are.

    Raises:
        WeightsError: They know others.
    """
    if known != labels[: len(known)]:
        raise WeightsError(f"weights in {folder} know {list(known)}, wanted the first of {list(labels)}.")


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant and two baselines, a few images at a time.

    Returns:
        `Counts.metrics` by contestant, ``majority`` and ``logistic``. Counts: ``units`` and ``targets``, images that
        judge; ``window_units`` and ``window_targets``, all of the window's days; of these ``twins`` and
        ``known_subjects``, which do not judge, see `models.vision.apart`; ``late``, which are of other days; those of
        `Waiting`; ``unknown_classes.<contestant>``, images that it must miss. Slices are of each class, where classes
        are few, and of each source; what was taken for what is of each class, too.

    Raises:
        DamagedError: Weights are not as they were written.
        FileNotFoundError: A table, or its version, is not there.
        WeightsError: A contestant was trained on other classes.
    """
    form, known = Form.of(job.features), labels(job.tables)
    contestants = {name: Learned(Path(folder), known) for name, folder in job.contestants.items()}
    everybody: dict[str, Contestant] = {**contestants, **baselines(job, form, known)}
    by, apart = METRICS.decided_by(job.metric), judging(job)
    counts, of_images, sources = _judged(job, apart, form, everybody, len(known))
    of_class = next(iter(counts.values())).images
    unknown = {f"unknown_classes.{name}": int(of_class[each.knows :].sum()) for name, each in contestants.items()}
    images = int(of_class.sum())
    sources_of = {name: _means(metrics) for name, metrics in of_images.items()}
    deciding = {name: metrics[by.primary] for name, metrics in of_images.items()}
    chosen, ahead = compare(by, means(deciding), images)
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: each.metrics() for name, each in counts.items()},
        slices={**of_classes(counts, known), **sliced(by_value(sources, "source"), sources_of)},
        counts={**counts_of(job, apart, images), **unknown},
        confusion={name: each.confusion(known) for name, each in counts.items() if len(known) <= FEW_CLASSES},
        reliability={name: each.reliability() for name, each in counts.items() if not each.has_diverged},
    )


def counts_of(job: EvaluateJob, apart: Judging, units: int) -> dict[str, int]:
    """Count what judged, so many units, and what did not."""
    return {
        **dict.fromkeys(("units", "targets"), units),
        **dict.fromkeys(("window_units", "window_targets"), len(apart.judges)),
        "twins": apart.twins,
        "known_subjects": apart.known_subjects,
        "late": apart.late,
        **counted(job.tables, EXAMPLES),
    }


def _judged(
    job: EvaluateJob, apart: Judging, form: Form, everybody: Mapping[str, Contestant], classes_in_all: int
) -> tuple[dict[str, Counts], dict[str, dict[str, Floats]], pa.ChunkedArray]:
    """Return by contestant what is to be known of all images, and metrics of each; and the sources of these."""
    nothing = Counts.of(np.empty((0, classes_in_all)), np.empty(0, np.int64))
    counts, sources = dict.fromkeys(everybody, nothing), [pa.array([], pa.string())]
    of_images = {name: {metric: [np.empty(0)] for metric in METRICS.may_decide} for name in everybody}
    for batch in judged(job, apart, ["pixels", "class_number", "source"]):
        pixels, class_B = form.pixels(batch), classes(batch)
        sources.append(batch["source"])
        for name, contestant in everybody.items():
            probability_BC = contestant.probabilities(pixels)
            counts[name] += Counts.of(probability_BC, class_B)
            for metric, found in of_images[name].items():
                found.append(of_each(metric, probability_BC, class_B))
    together = {
        name: {metric: np.concatenate(found) for metric, found in metrics.items()}
        for name, metrics in of_images.items()
    }
    return counts, together, pa.chunked_array(sources)


def _means(of_images: Mapping[str, Floats]) -> Callable[[Flags], dict[str, float]]:
    return lambda chosen: {metric: float(found[chosen].mean()) for metric, found in of_images.items()}


def baselines(job: EvaluateJob, form: Form, known: tuple[str, ...]) -> Mapping[str, Contestant]:
    """Count, and learn by a linear model, what was there before the window."""
    counts = count_classes(job.tables, job.known_windows, len(known))
    if not counts.any():
        raise ValueError(f"no labelled image in windows {', '.join(job.known_windows)}: baselines know nothing.")
    learned_from = min(MOST_IMAGES, int(counts.sum()))
    logger.info("window %s: the linear model learns from %s images", job.window, f"{learned_from:,}")
    dataset, night = dataset_of(job.tables), job.known_windows[-1]
    pieces = drawn(dataset, job.known_windows, learned_from, seed=0, night=night, columns=LEARNED)
    logistic = Logistic(((form.pixels(piece), classes(piece)) for piece in pieces), len(known))
    return {"majority": Majority(counts), "logistic": logistic}
