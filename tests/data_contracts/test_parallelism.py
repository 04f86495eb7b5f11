from __future__ import annotations

import pytest

from data_contracts.parallelism import ParallelismConfig


def test_more_than_one_host_is_refused_when_it_is_set() -> None:
    with pytest.raises(ValueError, match=r"num_nodes is 2: a training runs on one host so far"):
        ParallelismConfig(num_nodes=2)


def test_the_world_is_every_process() -> None:
    assert ParallelismConfig(processes_per_node=3).world_size == 3
