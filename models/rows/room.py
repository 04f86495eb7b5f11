"""Whether a process has room for its rows of a table, asked before it takes any of it."""

from __future__ import annotations

import torch

from models import memory
from models.rows.shard import Shard

BYTES = 4
"""Of a number, as trained by default."""


def require_room(count: int, width: int, shard: Shard) -> None:
    """See that the rows of a process, with all that is remembered of them, are not more than its memory.

    Args:
        count: N rows of the table.
        width: D.
        shard: What the process has of it.

    Raises:
        ValueError: They are; other things are not counted, so there may be too little even so.
    """
    rows = len(shard.own(count))
    copies = 1 if torch.cuda.is_available() else 2
    needed = BYTES * rows * (2 * width + 2) * copies
    limit = memory.limit()
    if limit is None or needed <= limit.bytes:
        return
    raise ValueError(
        f"process {shard.rank} of {shard.world:,} has no room for its {rows:,} of {count:,} rows of width {width:,}: "
        f"they, their averages, and a sum and a step for each, are {needed // copies:,} bytes, and while a checkpoint "
        f"is written {needed:,} bytes of memory; {limit.name} allows {limit.bytes:,}. Take more processes, or more "
        "memory for each, or narrower rows."
    )
