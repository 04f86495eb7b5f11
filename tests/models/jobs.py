"""Jobs on made-up tables of three windows, the first two of them known: of any use case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from data_contracts.job import EvaluateJob, FitJob, TablesAt, Validation

WINDOWS = ("2026-03-01", "2026-03-02")
JUDGED = "2026-03-03"


def fit_job(tables: TablesAt, folder: Path, **changes: object) -> FitJob:
    """Say what to train: both windows, of which the second validates.

    Args:
        tables: Have them.
        folder: Of the run.
        changes: The use case, its config and features, and whatever else is to be other than here.
    """
    told = {
        "run_folder": str(folder),
        "tables": tables,
        "windows": WINDOWS,
        "known_windows": WINDOWS,
        "validation": Validation(window=WINDOWS[1]),
        "tracking_uri": "sqlite://",
        "run_id": "run",
    }
    return FitJob.model_validate(told | changes)


def evaluate_job(tables: TablesAt, contestants: Mapping[str, Path], **changes: object) -> EvaluateJob:
    """Say what to judge: the last of three windows; see `fit_job`."""
    told = {
        "tables": tables,
        "window": JUDGED,
        "first_day": date.fromisoformat(JUDGED),
        "known_windows": WINDOWS,
        "validation": Validation(window=WINDOWS[1]),
        "contestants": {name: str(folder) for name, folder in contestants.items()},
        "work_folder": "",
    }
    return EvaluateJob.model_validate(told | changes)
