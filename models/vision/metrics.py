"""How good probabilities are: counts that add up over batches. Shape letters: B images, C classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Confusion, Metrics, Reliability

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
"""Up to as many, the accuracy of each class is a metric of its own."""
LEAST = 1e-15
"""A probability below it counts as this much: one image must not make a mean infinite."""
_PLAIN = re.compile(r"[^A-Za-z0-9_. -]+")

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
        loss: Sum of minus the logarithms of what was given to the right class; NaN where the network gave no number.
        images_S: Images in each span of confidence.
        confidence_S: Sums of the probability of the class that they were taken for.
        right_S: Images of these that were taken for what they are.
    """

    taken_CC: Numbers
    loss: float
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
            loss=float(-np.log(np.maximum(given_B, LEAST)).sum()),
            images_S=np.bincount(span_B, minlength=BINS),
            confidence_S=np.bincount(span_B, weights=confidence_B, minlength=BINS).astype(np.float64),
            right_S=np.bincount(span_B[said_B == class_B], minlength=BINS),
        )

    def __add__(self, other: Self) -> Self:
        """Return the counts over both."""
        return type(self)(
            self.taken_CC + other.taken_CC,
            self.loss + other.loss,
            self.images_S + other.images_S,
            self.confidence_S + other.confidence_S,
            self.right_S + other.right_S,
        )

    def metrics(self, labels: Sequence[str]) -> dict[str, float]:
        """Return ``accuracy``, ``log_loss``, ``calibration_error`` and, of few classes, ``accuracy.<label>``.

        Args:
            labels: Of the classes, by number.

        Returns:
            Metric to value: NaN of a network that gave no number, nothing where there is no image.

        Source:
            Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        images = int(self.taken_CC.sum())
        if not images:
            return {}
        unknown = float("nan") if np.isnan(self.loss) else 0.0
        of_class_C, right_C = self.taken_CC.sum(axis=1), self.taken_CC.diagonal()
        slices = {
            f"accuracy.{_PLAIN.sub('_', label)}": float(right / count) + unknown
            for label, right, count in zip(labels, right_C, of_class_C, strict=True)
            if count and len(labels) <= FEW_CLASSES
        }
        return {
            "accuracy": float(right_C.sum() / images) + unknown,
            "log_loss": self.loss / images,
            "calibration_error": float(np.abs(self.confidence_S - self.right_S).sum() / images) + unknown,
            **slices,
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
