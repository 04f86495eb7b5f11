"""A table's rows, a range of them in each process: numbers go to who has the rows, rows and gradients come and go.

Shape letters: N rows of the table, U of a step, V that this process is asked for, W processes, D width.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, distributed

from data_contracts.parallelism import ParallelismConfig
from models.rows.ranking import Hidden, Targets


class Shard(NamedTuple):
    """Which of a table's rows a process has: as torch's `chunk` cuts them, so torch can save them in parts.

    Attributes:
        rank: Of the process.
        world: Processes that share the table; 1 has all of it.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def of_process(cls, parallelism: ParallelismConfig) -> Self:
        """Return what this process, one of torchelastic's, has of each table of a training."""
        if parallelism.rows == "local":
            return cls()
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    def size(self, count: int) -> int:
        """Return how many rows each process has, but the last ones."""
        return -(-count // self.world)

    def own(self, count: int) -> range:
        """Return the numbers of this process's rows."""
        first = min(self.rank * self.size(count), count)
        return range(first, min(first + self.size(count), count))


class Route(NamedTuple):
    """How the rows of one step travel between the processes that read them and those that have them.

    Attributes:
        asked_V: Rows that this process is asked for, counted from its own first, int64; those of each asker in turn.
        asks: How many this one asks of each process.
        answers: How many each process asks of this one.
    """

    asked_V: Tensor
    asks: list[int]
    answers: list[int]

    @classmethod
    def of(cls, number_U: Tensor, count: int, shard: Shard) -> Self:
        """Agree with all other processes on a step.

        Args:
            number_U: Rows that this process reads, int64, sorted.
            count: N.
            shard: This process's.
        """
        ask_W = torch.bincount(number_U // shard.size(count), minlength=shard.world)
        answer_W = torch.empty_like(ask_W)
        distributed.all_to_all_single(answer_W, ask_W)
        asks, answers = ask_W.tolist(), answer_W.tolist()
        asked_V = number_U.new_empty(sum(answers), dtype=torch.int32)
        distributed.all_to_all_single(asked_V, number_U.int(), answers, asks)
        return cls(asked_V.long() - shard.own(count).start, asks, answers)

    def rows(self, own_ND: Tensor) -> Tensor:
        """Return the rows that this process asks for, (U, D); it gives what it is asked for of its own."""
        found_UD = own_ND.new_empty(sum(self.asks), own_ND.shape[1])
        distributed.all_to_all_single(found_UD, own_ND[self.asked_V], self.asks, self.answers)
        return found_UD

    def gradients(self, gradient_UD: Tensor, travels: str) -> tuple[Tensor, Tensor]:
        """Send gradients to who has the rows.

        Args:
            gradient_UD: Of the rows that this process asked for.
            travels: Kind of numbers that is sent: ``float32`` for those that there are, or ``bfloat16``.

        Returns:
            Own rows that anybody has read, counted from the first, each once, sorted; and their gradients, added.
        """
        sent_UD = gradient_UD.bfloat16() if travels == "bfloat16" else gradient_UD
        got_VD = sent_UD.new_empty(len(self.asked_V), gradient_UD.shape[1])
        distributed.all_to_all_single(got_VD, sent_UD, self.answers, self.asks)
        own_U, place_V = torch.unique(self.asked_V, return_inverse=True)
        added_UD = gradient_UD.new_zeros(len(own_U), gradient_UD.shape[1])
        return own_U, added_UD.index_add_(0, place_V, got_VD.to(gradient_UD))


class Asked(NamedTuple):
    """States for which rows are to be ranked."""

    state_TD: Tensor
    targets: Targets
    hidden: Hidden


def ranked_by_all(asked: Asked, rank: Callable[[Asked], Tensor]) -> Tensor:
    """Have the states of all processes ranked by each among its own rows, and return the sums for this one's, (T,).

    Args:
        asked: This process's states; there may be none.
        rank: Ranks among this process's rows.
    """
    count_W = _of_all(torch.tensor([len(asked.state_TD)], device=asked.state_TD.device)).tolist()
    first = sum(count_W[: distributed.get_rank()])
    parts = asked.state_TD, asked.targets.number_T, asked.targets.row_TD
    hidden = asked.hidden.state_H + first, asked.hidden.row_H
    state_AD, number_A, row_AD, *hidden_A = (_of_all(part) for part in (*parts, *hidden))
    rank_A = rank(Asked(state_AD, Targets(number_A, row_AD), Hidden(*hidden_A)))
    distributed.all_reduce(rank_A)
    return rank_A[first : first + len(asked.state_TD)]


def _of_all(part: Tensor) -> Tensor:
    """Return the rows of all processes, one after another; each may have any number of them."""
    world = distributed.get_world_size()
    count_W = [torch.zeros(1, dtype=torch.int64, device=part.device) for _ in range(world)]
    distributed.all_gather(count_W, torch.tensor([len(part)], device=part.device))
    most = max(int(count) for count in count_W)
    padded = part.new_zeros(most, *part.shape[1:])
    padded[: len(part)] = part
    found = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(found, padded)
    return torch.cat([each[: int(count)] for each, count in zip(found, count_W, strict=True)])
