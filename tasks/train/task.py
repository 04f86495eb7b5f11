"""Train: the night's candidate, from the champion's weights where they fit."""

from __future__ import annotations

from dataclasses import dataclass
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
    bar = _Bar(workspace.artifact("training"), logger.warning)
    candidate = train_candidate(workspace, night, config, model, features, cluster, logger.info, bar.show)
    bar.end()
    return candidate


@dataclass
class _Bar:
    """Shows how far a training is: a bar in Prefect's UI, from the first heartbeat on.

    Attributes:
        key: Of the artifact.
        warn: Is told when Prefect's server does not take it.
    """

    key: str
    warn: OnLine
    artifact: UUID | None = None
    newest: Heartbeat | None = None

    def show(self, heartbeat: Heartbeat) -> None:
        """Say how far it is."""
        self.newest = heartbeat
        self._say(round(100 * heartbeat.share, 1), str(heartbeat))

    def end(self) -> None:
        """Say that it is done, which may be before the last epoch."""
        if self.newest is not None:
            self._say(100.0, f"done, in epoch {self.newest.epoch} of at most {self.newest.epochs}")

    def _say(self, percent: float, said: str) -> None:
        try:
            if self.artifact is None:
                self.artifact = UUID(str(create_progress_artifact(percent, self.key, said)))
            else:
                update_progress_artifact(self.artifact, percent, said)
        except HTTPError as error:
            self.warn(f"Prefect's server does not take how far the training is, which goes on: {error!r}")
