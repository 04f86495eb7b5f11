from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import ParameterServerConfig
from tasks.train.shards import HostsShards, dealt


@pytest.mark.parametrize(
    ("shards", "replicas", "wanted"),
    [
        (1, 1, {"a": ["shard 0"], "b": []}),
        (3, 1, {"a": ["shard 0", "shard 2"], "b": ["shard 1"]}),
        (2, 2, {"a": ["shard 0", "shard 1 copy 1"], "b": ["shard 0 copy 1", "shard 1"]}),
    ],
)
def test_hosts_take_shards_in_turn(shards: int, replicas: int, wanted: dict[str, list[str]]) -> None:
    server = ParameterServerConfig(shards=shards, replicas=replicas)
    found = dealt(ParallelismConfig(rows="served", server=server), ["a", "b"])
    assert {host: [str(each) for each in seats] for host, seats in found.items()} == wanted


def test_without_served_rows_there_are_no_shards() -> None:
    assert dealt(ParallelismConfig(rows="sharded"), ["a"]) == {"a": ()}


def test_shards_that_are_gone_for_good_are_named_with_their_log() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        shards = HostsShards(process, Path("/runs/shards/a/log.txt"))
        assert not shards.lost()
        process.kill()
        process.wait()
        said = "the parameter server on this host ended with exit code -9, see /runs/shards/a/log.txt"
        assert shards.lost() == said
    assert not HostsShards(None, Path("/runs/shards/a/log.txt")).lost()
