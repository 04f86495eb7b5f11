"""Train: the night's candidate, from the champion's weights where they fit."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from data_contracts.night import Candidate, Night, Workspace
from tasks.train.candidate import train_candidate
from tasks.train.config import TrainConfig


@task(name="train", cache_policy=NO_CACHE, task_run_name="train-{night.window.last_day}")
def train(
    workspace: Workspace, night: Night, config: TrainConfig, model: BaseModel, features: BaseModel, cluster: str
) -> Candidate:
    """See `train_candidate`. Not retried: a training that fails fails again; a night started again resumes it."""
    return train_candidate(workspace, night, config, model, features, cluster, get_run_logger().info)
