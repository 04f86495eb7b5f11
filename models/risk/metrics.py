"""By what contestants are compared, of the numbers that `models.metrics` makes of sums."""

from __future__ import annotations

from data_contracts.evidence import Metrics
from models.metrics import NO, YES, Floats, area_under_curve, average_precision, calibration_error, log_loss
from models.risk.config import RiskConfig
from models.thresholds import cost

METRICS = Metrics(
    primary="auc",
    shown=("auc", "ap", "log_loss", "calibration_error", "cost"),
    drawn=("auc", "ap"),
    lower_is_better=("log_loss", "calibration_error", "cost"),
    baselines=("share_of_bad", "logistic"),
    rivals=("boosting",),
    unit="transaction",
    window="features as of the day before",
)

RANKS = ("auc", "ap")
"""Metrics that say how well bad is told from good: there must be both."""

_METRICS = {
    "auc": area_under_curve,
    "ap": average_precision,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
}


def metrics(sums: Floats, config: RiskConfig) -> dict[str, float]:
    """Return every metric, by name.

    Args:
        sums: What `models.metrics.state` returned, added up.
        config: From what chance on a transaction is taken for bad, and what mistakes cost.
    """
    return {name: metric(sums, name, config) for name in METRICS.shown}


def metrics_of_part(sums: Floats, config: RiskConfig) -> dict[str, float]:
    """Return the metrics of a part of the window: `metrics`, without `RANKS` where all in it are good, or bad."""
    has_both = sums[NO].any() and sums[YES].any()
    return {name: value for name, value in metrics(sums, config).items() if has_both or name not in RANKS}


def metric(sums: Floats, name: str, config: RiskConfig) -> float:
    """Return one metric, see `metrics`."""
    if name == "cost":
        return cost(sums, config.threshold, of_missed=config.cost_of_missed, of_alarm=config.cost_of_alarm)
    return _METRICS[name](sums)
