"""The MLflow run of a training: found by its key or made, told what it is about, and ended as what it came to."""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run
from pydantic import JsonValue

from data_contracts.commit_point import commit_point
from data_contracts.job import Config
from data_contracts.night import Night, Workspace
from data_contracts.version import NIGHT

KEY = "nightshift.key"
START = "nightshift.start"

Settings = dict[str, Config]
"""Owner (`train`, `model`, `features`) to settings."""


def key_of(name: str, night: Night, settings: Settings) -> str:
    """Name a training by what goes into it: the same name, night and settings give the same run."""
    content = json.dumps([name, night.model_dump(mode="json"), settings], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def find_or_make_run(workspace: Workspace, night: Night, settings: Settings) -> str:
    """Return the id of the run with this training's key, made when there is none; it carries its settings and tables.

    They are logged again into a run that is there: whoever made it may have died before. Twice is the same as once.

    Args:
        workspace: Its name is the experiment's.
        night: Its tables are the run's dataset inputs.
        settings: Logged flat.
    """
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    experiment = _experiment(client, workspace)
    key = key_of(workspace.name, night, settings)
    found = client.search_runs([experiment], filter_string=f"tags.`{KEY}` = '{key}'", max_results=1)
    tags = {KEY: key, NIGHT: night.model_dump_json()}
    run_id = str((found[0] if found else _make_run(client, experiment, tags, night)).info.run_id)
    client.log_batch(run_id, params=[Param(name, value) for name, value in flat(settings).items()])
    client.log_inputs(run_id, [_dataset(workspace, table, version) for table, version in night.tables.items()])
    return run_id


def _make_run(client: MlflowClient, experiment: str, tags: dict[str, str], night: Night) -> Run:
    with commit_point("run"):
        return client.create_run(experiment, tags=tags, run_name=f"night {night.windows[-1]}")


def _experiment(client: MlflowClient, workspace: Workspace) -> str:
    """Return the experiment's id; its artifacts lie in the workspace's home, whoever serves MLflow."""
    found = client.get_experiment_by_name(workspace.name)
    if found is not None:
        return str(found.experiment_id)
    artifacts = posixpath.join(workspace.home, "artifacts", workspace.name)
    return str(client.create_experiment(workspace.name, artifact_location=artifacts))


def _dataset(workspace: Workspace, table: str, version: int) -> DatasetInput:
    source = json.dumps({"path": posixpath.join(workspace.tables, table), "delta_table_version": version})
    dataset = Dataset(name=table, digest=f"version-{version}", source_type="delta_table", source=source)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def flat(settings: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Write nested settings as ``owner.part.name``: text."""
    lines: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            lines |= flat(value, f"{prefix}{name}.")
        else:
            lines[prefix + name] = str(value)
    return lines


@contextmanager
def working_on(workspace: Workspace, run_id: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Mark the run as running, tagged, then as finished; as failed when the work under it does not come to its end."""
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    client.update_run(run_id, status="RUNNING")
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status, end_time=int(time.time() * 1000))
