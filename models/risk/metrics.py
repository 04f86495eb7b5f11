"""By what contestants are compared, of the numbers that `models.metrics` makes of sums."""

from __future__ import annotations

from data_contracts.evidence import Metrics
from models.metrics import Floats, area_under_curve, average_precision, calibration_error, cost, log_loss
from models.risk.config import RiskConfig

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


def metrics(sums: Floats, config: RiskConfig) -> dict[str, float]:
    """Return every metric, by name.

    Args:
        sums: What `models.metrics.state` returned, added up.
        config: From what chance on a transaction is taken for bad, and what mistakes cost.
    """
    of_mistakes = {"of_missed": config.cost_of_missed, "of_alarm": config.cost_of_alarm}
    return {
        "auc": area_under_curve(sums),
        "ap": average_precision(sums),
        "log_loss": log_loss(sums),
        "calibration_error": calibration_error(sums),
        "cost": cost(sums, config.threshold, **of_mistakes),
    }
