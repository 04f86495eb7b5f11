"""How good probabilities are: counts that add up over batches. Shape letters: B images, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Confusion, Metrics, Reliability, Slice

METRICS = Metrics(
    primary="accuracy",
    shown=("accuracy", "log_loss", "calibration_error"),
    drawn=("accuracy",),
    whole=("calibration_error",),
    lower_is_better=("log_loss", "calibration_error"),
    baselines=("majority", "logistic"),
    unit="image",
)
"""By what classifiers of images are compared."""

BINS = 15
"""Spans of confidence, equally wide, in which it is compared with how often it was right."""
FEW_CLASSES = 20
"""Up to as many, each class is judged by itself."""
LEAST = 1e-15
"""A probability below it counts as this much: one image must not make a mean infinite."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def of_each(metric: str, probability_BC: Floats, class_B: Numbers) -> Floats:
    """Return a metric that may decide, of each image, (B,); NaN where a network gave no number."""
    given_B = probability_BC[np.arange(len(class_B)), class_B]
    if metric == "log_loss":
        loss_B: Floats = -np.log(np.maximum(given_B, LEAST))
        return loss_B
    return np.where(np.isnan(given_B), np.nan, probability_BC.argmax(axis=1) == class_B)


@dataclass(frozen=True)
class Counts:
    """What is to be known of some images to judge them all; counts of more images are added with ``+``.

    Attributes:
        taken_CC: Images of each class (rows) that were taken for each class (columns).
        loss_C: Of the images of each class, sum of minus the logarithms of what was given to it; NaN where the network
            gave no number.
        images_S: Images in each span of confidence.
        confidence_S: Sums of the probability of the class that they were taken for.
        right_S: Images of these that were taken for what they are.
    """

    taken_CC: Numbers
    loss_C: Floats
    images_S: Numbers
    confidence_S: Floats
    right_S: Numbers

    @classmethod
    def of(cls, probability_BC: Floats, class_B: Numbers) -> Self:
        """Count one batch, whose rows add up to one; a class that somebody does not know has probability 0."""
        B, C = probability_BC.shape
        said_B = probability_BC.argmax(axis=1)
        confidence_B = np.nan_to_num(probability_BC.max(axis=1, initial=0))
        given_B = probability_BC[np.arange(B), class_B]
        span_B = np.minimum((confidence_B * BINS).astype(np.int64), BINS - 1)
        return cls(
            taken_CC=np.bincount(class_B * C + said_B, minlength=C * C).reshape(C, C),
            loss_C=np.bincount(class_B, weights=-np.log(np.maximum(given_B, LEAST)), minlength=C).astype(np.float64),
            images_S=np.bincount(span_B, minlength=BINS),
            confidence_S=np.bincount(span_B, weights=confidence_B, minlength=BINS).astype(np.float64),
            right_S=np.bincount(span_B[said_B == class_B], minlength=BINS),
        )

    def __add__(self, other: Self) -> Self:
        """Return the counts over both."""
        return type(self)(
            self.taken_CC + other.taken_CC,
            self.loss_C + other.loss_C,
            self.images_S + other.images_S,
            self.confidence_S + other.confidence_S,
            self.right_S + other.right_S,
        )

    @property
    def images(self) -> Numbers:
        """Images of each class, (C,)."""
        images_C: Numbers = self.taken_CC.sum(axis=1)
        return images_C

    @property
    def has_diverged(self) -> bool:
        """Whether the network gave no number."""
        return bool(np.isnan(self.loss_C).any())

    def metrics(self) -> dict[str, float]:
        """Return ``accuracy``, ``log_loss`` and ``calibration_error``.

        Returns:
            Metric to value: NaN of a network that gave no number, nothing where there is no image.

        Source:
            Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        images = int(self.images.sum())
        if not images:
            return {}
        unknown = float("nan") if self.has_diverged else 0.0
        return {
            "accuracy": float(self.taken_CC.trace() / images) + unknown,
            "log_loss": float(self.loss_C.sum() / images),
            "calibration_error": float(np.abs(self.confidence_S - self.right_S).sum() / images) + unknown,
        }

    def of_class(self, number: int) -> dict[str, float]:
        """Return ``accuracy`` and ``log_loss`` of the images of one class, of which there are some."""
        unknown, images = float("nan") if self.has_diverged else 0.0, self.images[number]
        return {
            "accuracy": float(self.taken_CC[number, number] / images) + unknown,
            "log_loss": float(self.loss_C[number] / images) + unknown,
        }

    def reliability(self) -> Reliability:
        """Return how often they were taken for what they are, beside how likely that was said to be."""
        there = self.images_S > 0
        images = self.images_S[there]
        return Reliability(
            predicted=tuple(self.confidence_S[there] / images),
            seen=tuple(self.right_S[there] / images),
            counts=tuple(images.tolist()),
        )

    def confusion(self, labels: Sequence[str]) -> Confusion:
        """Return what was taken for what."""
        return Confusion(classes=tuple(labels), counts=tuple(map(tuple, self.taken_CC.tolist())))


def of_classes(counts: Mapping[str, Counts], labels: Sequence[str]) -> dict[str, Slice]:
    """Judge each class that there are images of by itself; none where there are more than `FEW_CLASSES`.

    Args:
        counts: Contestant to what is to be known of it, over the same images.
        labels: Of the classes, by number.
    """
    return {
        label: Slice(units=int(images), metrics={name: each.of_class(number) for name, each in counts.items()})
        for number, (label, images) in enumerate(zip(labels, next(iter(counts.values())).images, strict=True))
        if images and len(labels) <= FEW_CLASSES
    }
