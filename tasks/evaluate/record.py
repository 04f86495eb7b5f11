"""How evidence is kept: in the MLflow run as metrics, pictures, samples and, last, ``evidence.json``."""

from __future__ import annotations

import re
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from data_contracts.commit_point import commit_point
from data_contracts.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVIDENCE, SAMPLES = "evidence.json", "samples.txt"
LEARNED = re.compile(r"train/loss|validation/.*")
"""Metrics of a training's epochs that are drawn."""
UNNAMEABLE = re.compile(r"[^A-Za-z0-9_. -]+")
"""What a slice may be called and a metric of MLflow may not."""


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
        Metric(metric_name(contestant, name, part), value, now, step=0)
        for part, of_contestants in _judged(evidence)
        for contestant, values in of_contestants.items()
        for name, value in values.items()
    ]
    client.log_batch(evidence.run_id, metrics=metrics)
    for name, figure in pictures.items():
        client.log_figure(evidence.run_id, figure, name)
    if evidence.samples:
        told = [f"{each.asked}\n=>\n{each.answered}\n" for each in evidence.samples]
        client.log_text(evidence.run_id, f"\n{'-' * 80}\n".join(told), SAMPLES)
    with commit_point("evidence"):
        client.log_text(evidence.run_id, evidence.model_dump_json(indent=2), EVIDENCE)


def _judged(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Mapping[str, float]]]]:
    """Yield everything that was judged, and by their names its parts."""
    yield "", evidence.metrics
    yield from ((name, part.metrics) for name, part in evidence.slices.items())
    for name in ("low", "high"):
        yield (
            name,
            {
                who: {metric: getattr(found, name) for metric, found in own.items()}
                for who, own in evidence.intervals.items()
            },
        )


def metric_name(contestant: str, metric: str, part: str = "") -> str:
    """Return a metric's name in MLflow, which takes few characters: ``candidate.f1_at_10``, ``champion.auc.large``.

    A part whose name has others is told from the next by a checksum: ``candidate.auc.source_ 5f3a91c2``.
    """
    named = UNNAMEABLE.sub("_", part)
    told = named if named == part else f"{named} {zlib.crc32(part.encode()):08x}"
    return f"{contestant}.{metric.replace('@', '_at_')}" + (f".{told}" if part else "")
