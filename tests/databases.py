"""MLflow's databases for tests: making the tables of one takes a processor more than a second, copying them nothing."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient


@cache
def _made() -> TemporaryDirectory[str]:
    """Make the one that is copied, once a process."""
    folder = TemporaryDirectory(prefix="nightshift-tests-")
    MlflowClient(tracking_uri=f"sqlite:///{folder.name}/mlflow.db").search_registered_models()
    return folder


def mlflow_in(folder: Path) -> str:
    """Return the URI of MLflow's database in a folder: an empty one where there was none."""
    file = folder / "mlflow.db"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(_made().name, file.name), file)
    return f"sqlite:///{file}"
