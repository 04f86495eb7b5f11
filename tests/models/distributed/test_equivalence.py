"""Ways of splitting compute what one process computes; the whole table is `make equivalence`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compared import table
from benchmarks.equivalence import SETTINGS, compare, ways
from data_contracts.parallelism import ParallelismConfig

pytestmark = pytest.mark.slow

OF_FOUR = ParallelismConfig(
    strategy="pipeline",
    pipeline_stages=2,
    schedule="zero_bubble",
    replicas="fsdp",
    rows="sharded",
    processes_per_node=4,
    max_restarts=0,
)


OF_TWO = [way for way in ways(2) if way.schedule == "1f1b" and (way.strategy, way.rows) != ("fsdp", "sharded")]
"""The default schedule, which `ddp` and `fsdp` have too; rows local and sharded."""


def test_ways_of_splitting_compute_the_same_and_one_broken_on_purpose_is_found(tmp_path: Path) -> None:
    """Two processes, rows local and sharded, and the hardest way of four; fsdp is broken.

    That fsdp computes the same is seen in tests/integration/test_multinode.py.
    """
    found = compare(
        tmp_path, [*OF_TWO, OF_FOUR], [replace(SETTINGS[0], epochs=2)], module="tests.models.distributed.forgetful"
    )
    assert [each.way for each in found[1:]] == [*OF_TWO, OF_FOUR]
    assert [each.way.strategy for each in found if not each.equal] == ["fsdp"], table(found)
    assert table(found).count("**no**") == 1
