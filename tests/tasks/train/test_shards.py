from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import ParameterServerConfig
from tasks.train.shards import HostsShards, dealt


@pytest.mark.parametrize(
    ("shards", "wanted"),
    [(1, {"a": (0,), "b": ()}), (3, {"a": (0, 2), "b": (1,)})],
)
def test_hosts_take_shards_in_turn(shards: int, wanted: dict[str, tuple[int, ...]]) -> None:
    server = ParameterServerConfig(shards=shards)
    assert dealt(ParallelismConfig(rows="served", server=server), ["a", "b"]) == wanted


def test_without_served_rows_there_are_no_shards() -> None:
    assert dealt(ParallelismConfig(rows="sharded"), ["a"]) == {"a": ()}


def test_a_shard_that_is_gone_is_named_with_its_log() -> None:
    wait = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(wait, stdin=subprocess.PIPE) as killed,
        subprocess.Popen(wait, stdin=subprocess.PIPE) as alive,
    ):
        shards = HostsShards({0: alive, 2: killed}, Path("/runs/shards"))
        assert not shards.lost()
        killed.kill()
        killed.wait()
        assert shards.lost() == (
            "shard 2 of the parameter server ended with exit code -9, see /runs/shards/2/log.txt (killed: if the "
            "kernel did it for lack of memory, raise train.parallelism.server.shards)"
        )
        alive.kill()
