"""One version for each run: the published model, with what it was trained on and how it was judged beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import BaseModel

from data_contracts.bundle import BUNDLE, find_version_of_run
from data_contracts.commit_point import commit_point
from data_contracts.evidence import Evidence
from data_contracts.job import CHECKPOINT, JUDGING, RIVALS, TRAINING, PublishJob, PublishResult, TablesAt
from data_contracts.night import Candidate, ModelVersion, Night, Workspace
from data_contracts.version import (
    CANDIDATE,
    CHAMPION,
    CHOSEN,
    EXAMPLE,
    GIT_COMMIT,
    METRICS,
    NIGHT,
    TABLE_IDS,
    TRAINED_THROUGH,
)
from tasks.champion import table_ids
from tasks.job import run_job

HEAVY = (
    *(
        f"*/{folder}" for folder in (TRAINING, CHECKPOINT, f".{CHECKPOINT}.staged")
    ),  # of trainings, whatever they began from
    *(f"*/{folder}" for folder in (BUNDLE, f".{BUNDLE}")),  # of publishing
    f"*/{RIVALS}",  # of judging
    f"{CHAMPION}/*",  # to be judged beside
)
"""Folders of a run that go once there is a version of it."""


def register_once(
    workspace: Workspace,
    candidate: Candidate,
    evidence: Evidence,
    night: Night,
    model: BaseModel,
    features: BaseModel,
) -> ModelVersion:
    """Publish who was chosen as the run's LoggedModel, and register it; a run that has a version keeps it.

    Then the run's weights, checkpoints and bundles are removed: the version has what serves. What tells how the run
    went stays: job and result files, logs, ledger, heartbeat.

    Args:
        workspace: Its name is the registered model's.
        candidate: What `train` made.
        evidence: What `evaluate` said of it.
        night: Its tables, and the windows that the model may know.
        model: Settings of the use case's model.
        features: Settings under which the tables were made.

    Raises:
        JobFailedError: The bundle cannot be made; the message holds the job's last lines.
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    mlflow.set_tracking_uri(workspace.tracking_uri)  # MLflow's database store looks a LoggedModel up by this alone
    client = MlflowClient()
    name, run_id = workspace.name, candidate.run_id
    folder = Path(workspace.runs) / run_id
    found = find_version_of_run(workspace.tracking_uri, name, run_id)
    if found is not None:
        _clear(folder)
        return ModelVersion(name=name, version=found)
    job = PublishJob(
        use_case=workspace.use_case,
        checkpoint=_weights(candidate, evidence, folder),
        tables=TablesAt(folder=workspace.tables, versions=night.tables),
        known_windows=night.windows[:-1],
        first_day=night.window.first_day if night.protocol == "nightly" else None,
        trained_through=candidate.trained_through,
        day_zone=workspace.day_zone,
        tracking_uri=workspace.tracking_uri,
        run_id=run_id,
        config=model.model_dump(mode="json"),
        features=features.model_dump(mode="json"),
        work_folder=str(folder / "publish"),
    )
    published = run_job("models.publish", job, Path(job.work_folder), PublishResult)
    _make_registered_model(client, name)
    tags = {
        NIGHT: night.model_dump_json(),
        TRAINED_THROUGH: candidate.trained_through,
        TABLE_IDS: json.dumps(table_ids(workspace, night.tables)),
        CHOSEN: evidence.chosen,
        METRICS: json.dumps(evidence.metrics),
        EXAMPLE: json.dumps(published.example),
        **_git_commit(),
    }
    with commit_point("version"):
        version = client.create_model_version(
            name, published.model_uri, run_id=run_id, tags=tags, model_id=published.model_id
        )
    _clear(folder)
    return ModelVersion(name=name, version=str(version.version))


def _weights(candidate: Candidate, evidence: Evidence, run: Path) -> str:
    """Return the folder of the weights that are published: the candidate's, or those of a rival that did better."""
    return candidate.checkpoint if evidence.chosen == CANDIDATE else str(run / JUDGING / RIVALS / evidence.chosen)


def _clear(run: Path) -> None:
    """Remove what the version has now, or nobody needs any more: `HEAVY`."""
    for pattern in HEAVY:
        for folder in run.glob(pattern):
            shutil.rmtree(folder)


def _make_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _git_commit() -> dict[str, str]:
    """Return the commit that this code was checked out at, as a tag; nothing where git does not know."""
    git = shutil.which("git")
    if git is None:
        return {}
    here = Path(__file__).parent
    asked = subprocess.run([git, "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return {GIT_COMMIT: asked.stdout.strip()} if asked.returncode == 0 else {}
