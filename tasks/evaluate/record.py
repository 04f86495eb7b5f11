"""How evidence is kept: in the MLflow run as metrics, pictures and, last, ``evidence.json``; for people as a table."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_contracts.commit_point import commit_point
from data_contracts.evidence import NIGHTLY, Evidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVIDENCE = "evidence.json"
LEARNED = re.compile(r"train/loss|validation/.*")
"""Metrics of a training's epochs that are drawn."""


def recorded_evidence(tracking_uri: str, run_id: str) -> Evidence | None:
    """Return what `record_evidence` recorded in the run, or None when it never came to its end: not whole, say."""
    import mlflow
    from mlflow import MlflowClient

    artifacts = MlflowClient(tracking_uri=tracking_uri).list_artifacts(run_id)
    if not any(artifact.path == EVIDENCE for artifact in artifacts):
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=EVIDENCE, dst_path=folder, tracking_uri=tracking_uri
        )
        try:
            return Evidence.model_validate_json(Path(file).read_text(encoding="utf-8"))
        except ValidationError:
            return None


def learned(tracking_uri: str, run_id: str) -> dict[str, dict[int, float]]:
    """Return what a run's training logged: metric, in order of names, to epoch, from 1, to the value at its end.

    An epoch that was done again after a kill has its last value.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking_uri)
    told = ((each.step, round(each.value) + 1) for each in client.get_metric_history(run_id, "epoch"))
    epochs = dict(sorted(told, reverse=True))  # the lowest of a step: at the end Lightning says the next one, too
    names = sorted(filter(LEARNED.fullmatch, client.get_run(run_id).data.metrics))
    logged = {name: sorted(client.get_metric_history(run_id, name), key=lambda at: at.timestamp) for name in names}
    return {
        name: dict(sorted({epochs[each.step]: each.value for each in values if each.step in epochs}.items()))
        for name, values in logged.items()
    }


def record_evidence(tracking_uri: str, evidence: Evidence, pictures: Mapping[str, Figure]) -> None:
    """Record metrics and artifacts in the evidence's run; again, after a crash, is the same as once."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(tracking_uri=tracking_uri)
    now = round(time.time() * 1000)
    metrics = [
        Metric(metric_name(contestant, name), value, now, step=0)
        for contestant, values in evidence.metrics.items()
        for name, value in values.items()
    ]
    client.log_batch(evidence.run_id, metrics=metrics)
    for name, figure in pictures.items():
        client.log_figure(evidence.run_id, figure, name)
    with commit_point("evidence"):
        client.log_text(evidence.run_id, evidence.model_dump_json(indent=2), EVIDENCE)


def metric_name(contestant: str, metric: str) -> str:
    """Return a metric's name in MLflow, which takes no ``@``: ``candidate.f1_at_10``."""
    return f"{contestant}.{metric.replace('@', '_at_')}"


def in_capitals(metric: str) -> str:
    """Return a metric's name as tables have it."""
    return metric.upper().replace("_", " ")


def standings(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Return the lines to show: every contestant, then each with state as of the window's start, by metric."""
    live: dict[str, dict[str, float]] = {}
    nightly: dict[str, dict[str, float]] = {}
    for contestant, metrics in evidence.metrics.items():
        live[contestant] = {name: value for name, value in metrics.items() if name in evidence.by.shown}
        as_of_start = {name.removesuffix(NIGHTLY): value for name, value in metrics.items() if name.endswith(NIGHTLY)}
        nightly |= {f"{contestant}, nightly": as_of_start} if as_of_start else {}
    return live | nightly


def remarks(evidence: Evidence) -> list[str]:
    """Say for people what was judged, how to read the metrics, and who was not judged."""
    named = {name.replace("_", " ").replace("units", f"{evidence.by.unit}s"): n for name, n in evidence.counts.items()}
    return [
        ", ".join(f"{name} {count:,}" for name, count in named.items()),
        *_ahead(evidence),
        *evidence.remarks,
        *(f"Not judged, {contestant}: {reason}." for contestant, reason in evidence.left_out.items()),
    ]


def _ahead(evidence: Evidence) -> list[str]:
    """Say by how much the contestant that is to be published is ahead of the others, and how sure that is."""
    if not evidence.ahead:
        return []
    by = evidence.by
    versions = {name: f"{name} (version {version})" for name, version in evidence.versions.items()}
    told = ", ".join(
        f"{versions.get(name, name)} {ahead.low:+.4f} to {ahead.high:+.4f}" for name, ahead in evidence.ahead.items()
    )
    return [
        f"{in_capitals(by.primary)} of the {evidence.chosen}, better by: {told} (in 90 % of all draws of {by.unit}s "
        "from those judged)"
    ]


def as_markdown(evidence: Evidence) -> str:
    """Return a table, one row a contestant, and what was judged."""
    shown = evidence.by.shown
    rows = [["", *map(in_capitals, shown)], ["---", *("---:" for _ in shown)]]
    rows += [
        [line, *(f"{metrics[name]:.4f}" if name in metrics else "" for name in shown)]
        for line, metrics in standings(evidence).items()
    ]
    return "\n".join([*map(_row, rows), "", "\n\n".join(remarks(evidence))])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
