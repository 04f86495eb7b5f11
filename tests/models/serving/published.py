"""A model of any use case, published and in service under a name."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from data_contracts.job import Config, PublishJob, PublishResult, TablesAt
from models.publish import publish
from tests.models.jobs import WINDOWS
from tests.models.serving.tiny_shop import new_run


def publish_as(
    name: str, folder: Path, use_case: str, weights: Path, tables: TablesAt, *, config: Config, features: Config
) -> PublishResult:
    """Publish weights with MLflow's files in ``folder``, as version 1 of ``name`` and its champion."""
    tracking_uri, run_id = new_run(folder)
    job = PublishJob(
        use_case=use_case,
        checkpoint=str(weights),
        tables=tables,
        known_windows=WINDOWS,
        trained_through=WINDOWS[-1],
        tracking_uri=tracking_uri,
        run_id=run_id,
        config=config,
        features=features,
        work_folder=str(folder / "work"),
    )
    result = publish(job)
    client = MlflowClient(tracking_uri=tracking_uri)
    client.create_registered_model(name)
    client.create_model_version(name, result.model_uri, run_id=run_id)
    client.set_registered_model_alias(name, "champion", "1")
    return result
