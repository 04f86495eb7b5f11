"""What the command line prints: the only place that does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from data_contracts.bundle import find_version
from data_contracts.night import Evidence, Promotion

if TYPE_CHECKING:
    from flows.settings import NightlySettings

COLUMNS = ("hr@5", "hr@10", "hr@20", "ndcg@10", "mrr", "coverage@10")
console = Console(highlight=False, soft_wrap=True)


def line(text: str) -> None:
    """Print one line."""
    console.print(text, markup=False)


def services(found: Mapping[str, tuple[str, bool]]) -> None:
    """Print every server, its address, and whether it answers."""
    for name, (url, answers) in found.items():
        line(f"{name:<10} {url:<28} {'answers' if answers else 'does not answer'}")


def night(promotion: Promotion, settings: NightlySettings, started: datetime) -> None:
    """Print what a night decided, on what evidence, where to look, and one real recommendation.

    Args:
        promotion: What the flow returned.
        settings: Of the night.
        started: When the flow was started; a version older than that was not made tonight.
    """
    from mlflow import MlflowClient

    workspace = settings.workspace()
    version = find_version(workspace.tracking_uri, promotion.version.name, promotion.version.version)
    if version is None:
        raise LookupError(f"{promotion.version} is not registered at {workspace.tracking_uri}.")
    if datetime.fromtimestamp(version.creation_timestamp / 1000, UTC) < started:
        line(f"\nNothing new: no log was left to take. What was decided about version {version.version} stands.")
    verb = "promoted" if promotion.promoted else "not promoted"
    line(f"\n{promotion.version.name} version {promotion.version.version}: {verb}. {promotion.reason}")
    line(promotion.served)
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    evidence = Evidence.model_validate(_artifact(client, str(version.run_id), "evidence.json"))
    _metrics(evidence, _reference(settings, version.tags))
    line(f"\nMLflow: mlflow ui --backend-store-uri {workspace.tracking_uri} --host 127.0.0.1 --port 5000")
    line(f"        then http://127.0.0.1:5000, experiment {workspace.name!r}, run {version.run_id}")


def _metrics(evidence: Evidence, reference: Mapping[str, float]) -> None:
    rows = {**evidence.metrics, **({"best reachable": reference} if reference else {})}
    table = Table(title="The held-out window, all items ranked", title_justify="left")
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name.upper(), justify="right")
    for contestant, metrics in rows.items():
        table.add_row(contestant, *(f"{metrics[name]:.4f}" if name in metrics else "" for name in COLUMNS))
    console.print(table)
    line(", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in evidence.counts.items()))
