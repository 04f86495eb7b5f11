"""Ways of splitting compute what one process computes; the whole table is `make equivalence`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compared import table
from benchmarks.equivalence import EXACT, compare, ways
from benchmarks.subjects import HSTU, RISK
from data_contracts.parallelism import ParallelismConfig

pytestmark = pytest.mark.slow

EXACT_ONES = (EXACT, replace(EXACT, subject=HSTU), replace(EXACT, objective="cross_entropy", subject=RISK))
"""What has a table of rows; those of risk decay."""
OF_FOUR = ParallelismConfig(
    strategy="pipeline",
    pipeline_stages=2,
    schedule="zero_bubble",
    replicas="fsdp",
    rows="sharded",
    processes_per_node=4,
    max_restarts=0,
)


LEFT_OUT = {("fsdp", "sharded"), ("fsdp", "served"), ("pipeline", "served")}
OF_TWO = [way for way in ways(2) if way.schedule == "1f1b" and (way.strategy, way.rows) not in LEFT_OUT]
"""The default schedule, which `ddp` and `fsdp` have too; rows local, sharded and, under `ddp`, served."""


def test_ways_of_splitting_compute_the_same_and_one_broken_on_purpose_is_found(tmp_path: Path) -> None:
    """Two processes, rows local and sharded, and the hardest way of four; fsdp is broken.

    That fsdp computes the same is seen in tests/integration/test_multinode.py.
    """
    settings = [replace(each, epochs=2) for each in EXACT_ONES]
    found = compare(tmp_path, [*OF_TWO, OF_FOUR], settings, module="tests.models.distributed.forgetful")
    wanted = [(way, setting) for way in [*OF_TWO, OF_FOUR] for setting in settings]
    assert [(each.way, each.setting) for each in found[len(settings) :]] == wanted
    assert [each.way.strategy for each in found if not each.equal] == ["fsdp"] * len(settings), table(found)
    assert table(found).count("**no**") == len(settings)
