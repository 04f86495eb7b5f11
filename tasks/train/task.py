"""Train: the night's candidate, from the champion's weights where they fit."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from httpx import HTTPError
from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from data_contracts.job import Heartbeat
from data_contracts.night import Candidate, Night, Workspace
from tasks.train.candidate import train_candidate
from tasks.train.config import TrainConfig
from tasks.train.gang import OnLine


@task(name="train", cache_policy=NO_CACHE, task_run_name="train-{night.window.last_day}")
def train(
    workspace: Workspace, night: Night, config: TrainConfig, model: BaseModel, features: BaseModel, cluster: str
) -> Candidate:
    """See `train_candidate`. Not retried: a training that fails fails again; a night started again resumes it.

    Shows how far it is as an artifact.
    """
    logger = get_run_logger()
    return train_candidate(workspace, night, config, model, features, cluster, logger.info, _bar(logger.warning))


def _bar(warn: OnLine) -> Callable[[Heartbeat], None]:
    """Return what shows how far a training is: a bar in Prefect's UI, from the first heartbeat on."""
    shown: list[UUID] = []

    def show(heartbeat: Heartbeat) -> None:
        percent, said = round(100 * heartbeat.share, 1), str(heartbeat)
        try:
            if shown:
                update_progress_artifact(shown[0], percent, said)
            else:
                shown.append(UUID(str(create_progress_artifact(percent, "training", said))))
        except HTTPError as error:
            warn(f"Prefect's server does not take how far the training is, which goes on: {error!r}")

    return show
