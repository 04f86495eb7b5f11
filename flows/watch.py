"""Look whether the nights are well: every hour, and whenever one ends. Deployed as ``watch`` (prefect.yaml)."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.nights import look
from flows.seen import markdown, require_fresh
from flows.settings import NightlySettings


@flow(name="watch")
def watch() -> None:
    """Show the last nights and the age of what is served in one place: Prefect's artifact ``nights-<name>``.

    Raises:
        StaleModelError: What is served learned from data older than ``alerts.stale_hours``; told of like a bad night.
    """
    settings = NightlySettings()
    seen = look(settings)
    create_markdown_artifact(
        markdown(seen, settings.alerts.stale_hours),
        key=settings.workspace().artifact("nights"),
        description="The last nights, and how old what is served is.",
    )
    require_fresh(seen, settings.alerts.stale_hours)
