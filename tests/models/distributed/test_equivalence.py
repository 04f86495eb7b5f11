"""Ways of splitting compute what one process computes; the whole table is `make equivalence`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.equivalence import EXACT, SETTINGS, Compared, compare, table, ways
from data_contracts.parallelism import ParallelismConfig

pytestmark = pytest.mark.slow

OF_FOUR = ParallelismConfig(
    strategy="pipeline",
    pipeline_stages=2,
    schedule="zero_bubble",
    replicas="fsdp",
    processes_per_node=4,
    max_restarts=0,
)


OF_TWO = [way for way in ways(2) if way.schedule == "1f1b"]
"""The default, which `ddp` and `fsdp` have too."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Compared]:
    """Two processes, with the optimiser that is hard to split, and the hardest way of four."""
    return compare(tmp_path_factory.mktemp("ways"), [*OF_TWO, OF_FOUR], [replace(SETTINGS[1], epochs=2)])


def test_ways_of_splitting_compute_the_same(found: list[Compared]) -> None:
    assert [each.way for each in found[1:]] == [*OF_TWO, OF_FOUR]
    assert all(each.equal for each in found), table(found)


def test_a_strategy_broken_on_purpose_is_found(tmp_path: Path) -> None:
    two = next(iter(ways(2)))
    one, broken = compare(tmp_path, [two], [replace(EXACT, epochs=1)], module="tests.models.distributed.forgetful")
    assert one.equal
    assert not broken.equal
    assert "**no**" in table([one, broken])
