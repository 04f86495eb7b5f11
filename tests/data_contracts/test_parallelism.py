from __future__ import annotations

import pytest

from data_contracts.parallelism import ParallelismConfig


def test_the_world_is_every_process_of_as_many_hosts_as_may_come() -> None:
    assert ParallelismConfig(processes_per_node=3, min_nodes=1, max_nodes=3).worlds == (3, 6, 9)


def test_there_are_more_stages_than_processes_where_each_has_two() -> None:
    piped = {"strategy": "pipeline", "pipeline_stages": 2, "processes_per_node": 4}
    stages = {each: ParallelismConfig(**piped, schedule=each).stages for each in ("gpipe", "1f1b", "interleaved")}
    assert stages == {"gpipe": 2, "1f1b": 2, "interleaved": 4}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"min_nodes": 3, "max_nodes": 2}, r"min_nodes is 3, more than max_nodes, 2: raise max_nodes"),
        ({"schedule": "gpipe"}, r"schedule: only under strategy `pipeline`, and it is `ddp`\. Leave out"),
        ({"strategy": "pipeline"}, r"pipeline_stages is 1: nothing is cut\. Set 2 or more, or strategy: ddp"),
        (
            {"strategy": "pipeline", "pipeline_stages": 3, "processes_per_node": 4},
            r"pipeline_stages \(3\) must divide the world size \(4 = 1 nodes x 4 processes\)\. Try 2, 4, or set proc",
        ),
        (
            {"strategy": "pipeline", "pipeline_stages": 4, "processes_per_node": 2, "max_nodes": 2},
            r"pipeline_stages \(4\) must divide the world size \(2 = 1 nodes x 2 processes\)\. Try 2, or set",
        ),
        ({"server": {"shards": 2}}, r"server: only where rows are served, they are local\. Leave it out, or set"),
        (
            {"rows": "served", "gradients": "bfloat16"},
            r"gradients: bfloat16, and rows: served: rows travel",
        ),
        ({"rows": "served", "average_every": 2}, r"rows: served, average_every is 2: nobody has all rows"),
        (
            {"rows": "served", "server": {"staleness": 1}, "strategy": "pipeline", "pipeline_stages": 2},
            r"server\.staleness is 1 under `pipeline`: stages read in turn\. Leave it out",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ParallelismConfig.model_validate(wrong)
