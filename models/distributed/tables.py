"""Where the rows of a training's tables lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from data_contracts.parallelism import ParallelismConfig
from models.distributed.parameter_server.served import ServedRows
from models.rows.shard import Shard
from models.rows.table import Rows


def rows_of_process(parallelism: ParallelismConfig) -> Callable[..., Rows]:
    """Return what makes a table of rows, or this process's part of it, one of torchelastic's; see `Rows`."""
    return partial(ServedRows if parallelism.rows == "served" else Rows, shard=Shard.of_process(parallelism))
