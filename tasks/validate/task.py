"""Validate: staged rows become the truth, or go to `quarantine` with the rule they broke."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from data_contracts.contract import ContractError
from data_contracts.night import Staged, Validated, Workspace
from tasks.retry import unless
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import WindowError
from tasks.validate.publish import validate_night


@task(
    name="validate",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(ContractError, WindowError),
)
def validate(
    workspace: Workspace, staged: Staged, through: date | None, config: ValidationConfig, cluster: str
) -> Validated:
    """See `validate_night`. Retried, but not for bad data; safe, an input is consumed once. Points to the Data Docs."""
    validated = validate_night(workspace, staged, through, config, cluster)
    if validated.docs_uri:
        address = Path(validated.docs_uri).as_uri()  # no link: a browser opens no file from a page
        create_markdown_artifact(
            f"Copy this into the browser's address bar, on the machine of the night: `{address}`",
            key=workspace.artifact("data-docs"),
            description=f"Rows of {validated.window} against their contract.",
        )
    return validated
