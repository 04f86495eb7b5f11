from __future__ import annotations

import pytest

from tasks.evaluate.record import metric_name


@pytest.mark.parametrize(
    ("metric", "part", "name"),
    [
        pytest.param("hr@10", "", "candidate.hr_at_10", id="all targets"),
        pytest.param("ndcg@10", "new_users", "candidate.ndcg_at_10.new_users", id="a slice"),
        pytest.param("mrr", "", "candidate.mrr", id="nothing to map"),
        pytest.param("accuracy", "c/d é", "candidate.accuracy.c_d _", id="a slice that has any name"),
    ],
)
def test_metrics_have_names_that_mlflow_takes(metric: str, part: str, name: str) -> None:
    assert metric_name("candidate", metric, part) == name
