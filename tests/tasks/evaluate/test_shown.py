from __future__ import annotations

import math

from data_contracts.evidence import Evidence, Interval, Sample, Slice
from models.recommender.metrics import METRICS
from tasks.evaluate.shown import as_markdown, remarks, samples

EVIDENCE = Evidence(
    by=METRICS,
    run_id="run",
    metrics={"candidate": {"hr@10": 0.1234, "ndcg@10": 0.0567}, "popularity": {"hr@10": 0.02, "ndcg@10": math.nan}},
    ahead={"popularity": Interval(low=0.031, high=0.0412)},
    counts={"units": 1_000, "targets": 12_345, "repeats_dropped": 7},
)
SLICED = EVIDENCE.model_copy(
    update={
        "slices": {
            "new_users": Slice(
                units=1_200, metrics={"candidate": {"ndcg@10": 0.2}, "popularity": {"ndcg@10": math.nan}}
            ),
            "a |b\n[i] $\\frac$": Slice(units=3, metrics={"candidate": {}}),
        }
    }
)
"""With one slice of which little can be said, whose name is an adversary's."""


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


def test_slices_have_a_table_of_the_metric_that_decides_with_their_units() -> None:
    head, rule, *rows = as_markdown(SLICED).split("\n\n")[1].splitlines()
    assert head == "| NDCG@10 of | users | candidate | popularity |"
    assert rule == "| --- | ---: | ---: | ---: |"
    assert rows == ["| new users | 1,200 | 0.2000 | nan |", r"| a \|b [i] $\frac$ | 3 |  |  |"]


def test_metrics_with_other_state_have_lines_of_their_own() -> None:
    nightly = EVIDENCE.model_copy(update={"metrics": {"candidate": {"ndcg@10": 0.3, "ndcg@10.nightly": 0.1}}})
    lines = as_markdown(nightly).splitlines()
    assert lines[2:4] == ["| candidate |  |  |  | 0.3000 |  |  |", "| candidate, nightly |  |  |  | 0.1000 |  |  |"]


def test_what_the_use_case_remarks_and_who_was_left_out_is_said() -> None:
    told = {"remarks": ("Mind the gap.",), "left_out": {"champion": "it is damaged"}}
    assert remarks(EVIDENCE.model_copy(update=told))[2:] == ["Mind the gap.", "Not judged, champion: it is damaged."]


def test_samples_stand_on_lines_of_their_own_and_are_no_markdown() -> None:
    told = (Sample(asked="", answered="**bold**\n\n# end"), Sample(asked="as ```", answered="is"))
    evidence = EVIDENCE.model_copy(update={"samples": told})
    assert samples(evidence) == [r"'' -> '**bold**\n\n# end'", "'as ```' -> 'is'"]
    assert as_markdown(evidence).splitlines()[-3:] == ["", *(f"    {line}" for line in samples(evidence))]
