"""Evaluate: candidate, champion, anchor and baselines on the window that nobody trained on."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel

from data_contracts.evidence import Evidence
from data_contracts.night import Candidate, Night, Workspace
from tasks.evaluate.judge import judge
from tasks.evaluate.pictures import in_markdown, pictures
from tasks.evaluate.record import learned
from tasks.evaluate.shown import as_markdown


@task(name="evaluate", cache_policy=NO_CACHE, task_run_name="evaluate-{night.window.last_day}")
def evaluate(
    workspace: Workspace, candidate: Candidate, night: Night, model: BaseModel, features: BaseModel, metric: str | None
) -> Evidence:
    """See `judge`. Not retried: a model that cannot be judged stays so. Shows metrics and pictures as an artifact."""
    evidence = judge(workspace, candidate, night, model, features, metric)
    drawn = pictures(evidence, learned(workspace.tracking_uri, candidate.run_id))
    page = "\n\n".join([as_markdown(evidence), *(in_markdown(*picture) for picture in drawn.items())])
    create_markdown_artifact(page, key=workspace.artifact("evidence"), description=f"Judged on {night.window}.")
    return evidence
