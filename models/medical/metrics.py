"""By what contestants are compared, of the numbers that `models.metrics` makes of sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from data_contracts.evidence import Metrics
from models.metrics import NO, YES, Floats, area_under_curve, calibration_error, log_loss
from models.thresholds import decided, threshold_of

METRICS = Metrics(
    primary="auc",
    shown=("auc", "sensitivity_at_95", "accuracy", "sensitivity", "specificity", "log_loss", "calibration_error"),
    drawn=("auc", "sensitivity_at_95"),
    lower_is_better=("log_loss", "calibration_error"),
    baselines=("share", "logistic"),
    unit="image",
)
"""At the threshold that was chosen by validating pictures, but for ``sensitivity_at_95``: that is at the threshold by
which 95 % of the judged pictures without the finding are passed."""

SPECIFICITY = 0.95
NEED_BOTH = ("auc", "sensitivity_at_95")
"""Metrics of pictures with the finding, and without: there must be both."""


_METRICS: Mapping[str, Callable[[Floats, float], float]] = {
    "auc": lambda sums, _: area_under_curve(sums),
    "sensitivity_at_95": lambda sums, _: decided(sums, threshold_of(sums, SPECIFICITY)).sensitivity,
    "accuracy": lambda sums, threshold: decided(sums, threshold).accuracy,
    "sensitivity": lambda sums, threshold: decided(sums, threshold).sensitivity,
    "specificity": lambda sums, threshold: decided(sums, threshold).specificity,
    "log_loss": lambda sums, _: log_loss(sums),
    "calibration_error": lambda sums, _: calibration_error(sums),
}


def metric(name: str, sums: Floats, threshold: float) -> float:
    """Return one metric, see `metrics`."""
    return _METRICS[name](sums, threshold)


def metrics(sums: Floats, threshold: float) -> dict[str, float]:
    """Return every metric, by name.

    Args:
        sums: What `models.metrics.state` returned, added up.
        threshold: Log-odds from which on the finding is said to be there.
    """
    return {name: metric(name, sums, threshold) for name in METRICS.shown}


def metrics_of_part(sums: Floats, threshold: float) -> dict[str, float]:
    """Return those of `metrics` that can be said of a part: each needs pictures of the kinds that it counts."""
    has_no, has_yes = bool(sums[NO].any()), bool(sums[YES].any())
    needs = dict.fromkeys(NEED_BOTH, has_no and has_yes) | {"sensitivity": has_yes, "specificity": has_no}
    return {name: value for name, value in metrics(sums, threshold).items() if needs.get(name, True)}
