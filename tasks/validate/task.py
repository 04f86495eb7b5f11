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
from tasks.validate import publish
from tasks.validate.config import ValidationConfig
from tasks.validate.errors import WindowError
from tasks.validate.publication import Seen


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
    validated = publish.validate_night(workspace, staged, through, config, cluster)
    _point_to(
        Seen(validated.docs_uri, validated.of_table),
        workspace.artifact("data-docs"),
        f"Rows of {validated.window} against their contract.",
    )
    return validated


@task(
    name="validate-labels",
    cache_policy=NO_CACHE,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=unless(ContractError, WindowError),
)
def validate_labels(workspace: Workspace, staged: Staged, config: ValidationConfig, cluster: str) -> None:
    """See `validate_labels`; as `validate`."""
    seen = publish.validate_labels(workspace, staged, config, cluster)
    _point_to(seen, workspace.artifact("data-docs-of-labels"), "Labels against their contract.")


def _point_to(seen: Seen, key: str, description: str) -> None:
    """Show what rules about all new rows saw, and where the Data Docs page is, if there is one."""
    if seen.page:
        address = Path(seen.page).as_uri()  # no link: a browser opens no file from a page
        text = f"Copy this into the browser's address bar, on the machine of the night: `{address}`\n"
        text += "".join(f"\n- {line}" for line in seen.of_table)
        create_markdown_artifact(text, key=key, description=description)
