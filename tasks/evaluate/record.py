"""How evidence is kept: in the MLflow run as metrics, a picture and, last, ``evidence.json``; for people as a table."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_contracts.commit_point import commit_point
from data_contracts.evidence import NIGHTLY, Confusion, Evidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVIDENCE = "evidence.json"
PICTURE, CONFUSION = "evidence.png", "confusion.png"


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


def pictures(tracking_uri: str, run_id: str) -> list[str]:
    """Return the pictures of a run's evidence, each whole inside its Markdown: it is shown without another server."""
    import mlflow
    from mlflow import MlflowClient

    listed = {artifact.path for artifact in MlflowClient(tracking_uri=tracking_uri).list_artifacts(run_id)}
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        for name in [each for each in (PICTURE, CONFUSION) if each in listed]:
            file = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=tracking_uri
            )
            data = base64.b64encode(Path(file).read_bytes()).decode()
            shown.append(f"![{name}](data:image/png;base64,{data})")
    return shown


def record_evidence(tracking_uri: str, evidence: Evidence) -> None:
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
    client.log_figure(evidence.run_id, draw(evidence), PICTURE)
    if evidence.chosen in evidence.confusion:
        client.log_figure(evidence.run_id, draw_confusion(evidence.confusion[evidence.chosen]), CONFUSION)
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


def draw(evidence: Evidence) -> Figure:
    """Return one group of bars a metric of those to draw, one bar a contestant."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes, drawn = figure.subplots(), evidence.by.drawn
    width = 0.8 / len(evidence.metrics)
    for number, (contestant, metrics) in enumerate(evidence.metrics.items()):
        places = [group + number * width for group in range(len(drawn))]
        bars = axes.bar(places, [metrics.get(name, 0.0) for name in drawn], width, label=contestant)
        axes.bar_label(bars, fmt="%.3f", fontsize=8)
    axes.set_xticks([group + 0.4 - width / 2 for group in range(len(drawn))], list(map(in_capitals, drawn)))
    what = ", ".join(filter(None, (f"{evidence.counts.get('targets', 0):,} targets held out", evidence.by.window)))
    axes.set_title(what, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def draw_confusion(confusion: Confusion) -> Figure:
    """Return what was taken for what: a row a class, dark where much of it was taken for the column's."""
    from matplotlib.figure import Figure

    classes, size = confusion.classes, max(len(confusion.classes) * 0.5, 3)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion.counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(confusion.counts):
        for column, count in enumerate(counts):
            ink = "white" if shares[row][column] > 1 / 2 else "black"
            axes.text(column, row, f"{count:,}" if count else "", ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(len(classes)), classes, rotation=90)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    return figure
