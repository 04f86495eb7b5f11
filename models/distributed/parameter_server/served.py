"""A table of rows that a parameter server holds, as a trainer has it. Shape letters: N rows, U of a step, D width."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from typing_extensions import override

from models.distributed.parameter_server.declared import Table
from models.rows.shard import Asked, Shard
from models.rows.table import WHOLE, Rows


class End(Protocol):
    """A trainer's end of the parameter server, see `models.distributed.parameter_server.trainer.TrainersEnd`."""

    def look_up(self, table: ServedRows, number_U: Tensor) -> Tensor:
        """Return rows of a step, or their averages, where nothing is learned."""
        ...

    def learn(self, table: ServedRows, number_U: Tensor, gradient_UD: Tensor) -> None:
        """Keep a gradient until it is sent."""
        ...

    def ranks(self, table: ServedRows, asked: Asked) -> Tensor:
        """Rank all rows for states."""
        ...


class ServedRows(Rows):
    """A table on a parameter server: a step's rows come from there, and their gradient goes there.

    A trainer has rows of it only while a training begins, is saved or loaded: a range of them, as if it was sharded.

    Args:
        count: N, row `NOTHING` among them.
        width: D.
        std: Of first values.
        seed: Of first values.
        decay: Share that a row loses in each step that reads it.
        shard: The range of this trainer.
    """

    end: End
    name: str

    def __init__(
        self, count: int, width: int, *, std: float = 0.0, seed: int = 0, decay: float = 0.0, shard: Shard = WHOLE
    ) -> None:
        super().__init__(count, width, std=std, seed=seed, decay=decay, shard=shard)
        self.std, self.seed = std, seed

    @property
    @override
    def whole(self) -> bool:
        return False

    @override
    def assist(self) -> None:
        """Do nothing: shards rank."""

    @override
    def _looked_up(self, number_U: Tensor) -> Tensor:
        return self.end.look_up(self, number_U).to(self.weight.device)

    @override
    def _learn(self, number_U: Tensor, gradient_UD: Tensor, travels: str, *, together: bool) -> None:
        self.end.learn(self, number_U.cpu(), gradient_UD.cpu())

    @override
    def _ranked(self, asked: Asked) -> Tensor:
        return self.end.ranks(self, asked)

    def told(self) -> Table:
        """Return what shards are told of it."""
        numbers = str(self.weight.dtype).removeprefix("torch.")
        made = {"count": self.count, "width": self.width, "std": self.std, "seed": self.seed, "decay": self.decay}
        return Table.model_validate({"name": self.name, "numbers": numbers, **made})
