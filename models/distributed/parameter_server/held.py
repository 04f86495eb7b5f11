"""What a shard holds, behind one lock: who speaks of another placement of shards is refused."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from models.distributed.parameter_server.clock import Clock
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.errors import BrokenError, LateError, OtherEpochError
from models.distributed.parameter_server.gathered import Wanted
from models.distributed.parameter_server.layers import LayerStore
from models.distributed.parameter_server.ranking import ranks_among
from models.distributed.parameter_server.rows import RowStore
from models.distributed.parameter_server.state import State
from models.distributed.parameter_server.stores import Stores
from models.rows.ranking import Hidden, Targets
from models.rows.shard import Shard


class Held:
    """Tables and layers of one shard, and the steps that they have learned from. Any thread may call any method.

    Args:
        rules: Of the training.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules, self.epoch = rules, rules.epoch
        self.shard = Shard(rules.rank, rules.world)
        self.stores = Stores(self.shard)
        self.clock = Clock(rules.staleness, rules.taken, rules.beyond)
        self._counts = Counter[str]()
        self._changed = threading.Condition()
        self._broken = ""

    @property
    def has_learned(self) -> bool:
        """Whether a step was taken since the training began, or went on."""
        return self.clock.count > self.rules.taken + len(self.rules.beyond)

    def declare(self, told: Table | Layers, *, epoch: int) -> None:
        """See `Stores.declare`."""
        with self._locked(epoch):
            self.stores.declare(told)

    def put(self, name: str, tensors: Mapping[str, Tensor], *, epoch: int, first: int = 0) -> None:
        """Take over what `State` says of a table or of layers, as far as this shard has it; see `LayerStore.put`."""
        with self._locked(epoch):
            self.stores.put(name, tensors, first)

    def read(self, wanted: Wanted, *, epoch: int, averages: bool) -> dict[str, Tensor]:
        """Return parameters as they are, or their averages; see `pull`."""
        with self._locked(epoch):
            return self.stores.read(wanted, averages_of=self.clock.count if averages else None)

    def put_layers(self, name: str, tensors: Mapping[str, Tensor], steps: int, *, epoch: int) -> None:
        """Have this shard's piece of layers be as `LayerStore.state` says, after so many steps."""
        with self._locked(epoch):
            self.stores.of(LayerStore, name).be(tensors, steps)

    def layers(self, name: str, *, epoch: int) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and a copy of what `LayerStore.state` says, but for single numbers."""
        with self._locked(epoch):
            state = self.stores.of(LayerStore, name).state()
            return self.clock.count, {each: value.clone() for each, value in state.items() if value.ndim}

    def state_of(self, name: str, number_U: Tensor, *, epoch: int) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and all that there is of some rows; see `RowStore.state_of`."""
        with self._locked(epoch):
            self.stores.check_rows(name, number_U)
            return self.clock.count, self.stores.of(RowStore, name).state_of(number_U)

    def ranks(self, name: str, state_TD: Tensor, targets: Targets, hidden: Hidden, *, epoch: int) -> Tensor:
        """Rank this shard's rows for states, by their averages; see `models.rows.ranking.ranks`."""
        with self._locked(epoch):
            return ranks_among(self.stores.of(RowStore, name), state_TD, targets, hidden, self.clock.count)

    def move_to(self, epoch: int) -> None:
        """Be part of a newer placement of shards; whoever waits is told.

        Raises:
            OtherEpochError: It is of a newer one already.
        """
        with self._changed:
            if epoch < self.epoch:
                raise OtherEpochError(f"shard {self.shard.rank} is of placement {self.epoch}, newer than {epoch}.")
            self.epoch = epoch
            self._changed.notify_all()

    def state(self) -> State:
        """Return a copy of all that it has learned."""
        with self._changed:
            told = {name: self.stores[name].told for name in self.stores}
            return State(self.rules, self.clock.taken, self.clock.beyond, told, self.stores.state())

    def taken(self, *, epoch: int) -> tuple[int, tuple[int, ...]]:
        """Return how many steps from 0 were taken, all of them, and those after them."""
        with self._locked(epoch):
            return self.clock.taken, self.clock.beyond

    @contextmanager
    def _locked(self, epoch: int) -> Iterator[None]:
        with self._changed, torch.no_grad():
            self._check(epoch)
            yield

    def check_epoch(self, epoch: int) -> None:
        """See that a message is of this placement of shards.

        Raises:
            OtherEpochError: It is not.
        """
        if epoch != self.epoch:
            raise OtherEpochError(
                f"shard {self.shard.rank} is of placement {self.epoch}, the message of {epoch}: ask where shards are."
            )

    def _check(self, epoch: int) -> None:
        self.check_epoch(epoch)
        if self._broken:
            raise BrokenError(f"shard {self.shard.rank}: {self._broken}. Go on from the last checkpoint.")

    def give_up(self, why: str) -> None:
        """Do nothing any more; whoever waits is told."""
        with self._changed:
            self._broken = why
            self._changed.notify_all()

    def _is_over(self, epoch: int) -> bool:
        """Whether nothing comes of what was asked in this placement."""
        return self.epoch != epoch or bool(self._broken)

    def _wait(self, until: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
        epoch = self.epoch
        if not self._changed.wait_for(lambda: until() or self._is_over(epoch), seconds):
            raise LateError(f"shard {self.shard.rank} has waited {seconds:g} s for {what()}.")
        self._check(epoch)
