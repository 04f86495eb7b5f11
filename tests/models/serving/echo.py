"""`echo` in MLflow: a model of `tests.repeating`."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from data_contracts.job import TablesAt
from data_contracts.manifest import seal
from tests.models.serving.published import publish_as


def publish_echo(folder: Path) -> str:
    """Register versions 1 and 2, both of one bundle, the first champion; return MLflow's URI."""
    (folder / "weights").mkdir()
    seal(folder / "weights")
    tables = TablesAt(folder=str(folder / "tables"), versions={})
    result = publish_as("echo", folder, "tests.repeating", folder / "weights", tables, config={}, features={})
    tracking_uri = f"sqlite:///{folder}/mlflow.db"
    MlflowClient(tracking_uri).create_model_version("echo", result.model_uri)
    return tracking_uri
