from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from data_contracts.evidence import Evidence, Sample
from models.recommender.metrics import METRICS
from tasks.evaluate.record import SAMPLES, metric_name, record_evidence, recorded_evidence
from tests.models.serving.tiny_shop import new_run


@pytest.mark.parametrize(
    ("metric", "part", "name"),
    [
        pytest.param("hr@10", "", "candidate.hr_at_10", id="all targets"),
        pytest.param("ndcg@10", "new_users", "candidate.ndcg_at_10.new_users", id="a slice"),
        pytest.param("mrr", "", "candidate.mrr", id="nothing to map"),
        pytest.param("accuracy", "c/d é", "candidate.accuracy.c_d _ bfe7ddf7", id="a slice that has any name"),
    ],
)
def test_metrics_have_names_that_mlflow_takes(metric: str, part: str, name: str) -> None:
    assert metric_name("candidate", metric, part) == name


def test_slices_that_differ_only_in_what_mlflow_does_not_take_have_names_of_their_own() -> None:
    parts = ("speaker_\u5f20\u4e09", "speaker_\u674e\u56db", "a/b", "a:b", "a_b")
    assert len({metric_name("candidate", "exact", part) for part in parts}) == len(parts)


def test_samples_are_kept_as_a_text(tmp_path: Path) -> None:
    tracking_uri, run_id = new_run(tmp_path)
    told = (Sample(asked="Once", answered=" upon\na time"), Sample(asked="", answered="Ж"))
    metrics = {"candidate": {"ndcg@10": 0.5}}
    evidence = Evidence(by=METRICS, run_id=run_id, metrics=metrics, ahead={}, counts={}, samples=told)
    record_evidence(tracking_uri, evidence, {})
    assert recorded_evidence(tracking_uri, run_id) == evidence
    mlflow.set_tracking_uri(tracking_uri)
    text = mlflow.artifacts.load_text(f"runs:/{run_id}/{SAMPLES}")
    assert text == f"Once\n=>\n upon\na time\n\n{'-' * 80}\n\n=>\nЖ\n"
