from __future__ import annotations

import math

import pytest

from data_contracts.evidence import Evidence, Interval
from models.recommender.metrics import METRICS
from tasks.evaluate.record import as_markdown, metric_name, remarks

EVIDENCE = Evidence(
    by=METRICS,
    run_id="run",
    metrics={"candidate": {"hr@10": 0.1234, "ndcg@10": 0.0567}, "popularity": {"hr@10": 0.02, "ndcg@10": math.nan}},
    ahead={"popularity": Interval(low=0.031, high=0.0412)},
    counts={"units": 1_000, "targets": 12_345, "repeats_dropped": 7},
)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        pytest.param("hr@10", "candidate.hr_at_10", id="all targets"),
        pytest.param("ndcg@10.new_users", "candidate.ndcg_at_10.new_users", id="a slice"),
        pytest.param("mrr", "candidate.mrr", id="nothing to map"),
    ],
)
def test_metrics_have_names_that_mlflow_takes(metric: str, name: str) -> None:
    assert metric_name("candidate", metric) == name


def test_the_table_has_a_row_a_contestant_and_says_what_was_judged() -> None:
    lines = as_markdown(EVIDENCE).splitlines()
    assert lines[0] == "|  | HR@5 | HR@10 | HR@20 | NDCG@10 | MRR | COVERAGE@10 |"
    assert lines[2] == "| candidate |  | 0.1234 |  | 0.0567 |  |  |"
    assert lines[3] == "| popularity |  | 0.0200 |  | nan |  |  |"
    assert lines[5] == "users 1,000, targets 12,345, repeats dropped 7"
    assert lines[-1] == (
        "NDCG@10 of the candidate, better by: popularity +0.0310 to +0.0412 (in 90 % of all draws of users from those "
        "judged)"
    )


def test_metrics_with_other_state_have_lines_of_their_own() -> None:
    nightly = EVIDENCE.model_copy(update={"metrics": {"candidate": {"ndcg@10": 0.3, "ndcg@10.nightly": 0.1}}})
    lines = as_markdown(nightly).splitlines()
    assert lines[2:4] == ["| candidate |  |  |  | 0.3000 |  |  |", "| candidate, nightly |  |  |  | 0.1000 |  |  |"]


def test_what_the_use_case_remarks_and_who_was_left_out_is_said() -> None:
    told = {"remarks": ("Mind the gap.",), "left_out": {"champion": "it is damaged"}}
    assert remarks(EVIDENCE.model_copy(update=told))[2:] == ["Mind the gap.", "Not judged, champion: it is damaged."]
