"""A trainer's end of the parameter server of its training. Shape letters: U rows of a step, R of a range, D width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from data_contracts.parallelism import ParallelismConfig
from models.distributed.parameter_server.beginning import have_begun, joined
from models.distributed.parameter_server.client import Found, ParameterServer
from models.distributed.parameter_server.declared import Numbers
from models.distributed.parameter_server.links import Taken
from models.distributed.parameter_server.ranges import fetch, hand_over, let_go, make_room
from models.distributed.parameter_server.sending import Sending
from models.distributed.parameter_server.served import ServedRows
from models.distributed.parameter_server.served_layers import ServedLayers
from models.distributed.parameter_server.wire import StreamTold
from models.layered import Batch, LayeredModule
from models.rows.ranking import Hidden, Targets
from models.rows.shard import Asked
from models.rows.table import Rows


class TrainersEnd:
    """What one trainer has to do with the parameter server of its training; nothing where no table is served.

    Args:
        tables: By name; they are told of this.
        config: Of the training.
        numbers: Of parameters, as torch calls them.
        rank: Of this trainer,
        world: of so many.
        broadcast: Gives every trainer what the first one has.
        barrier: Waits for all trainers.

    Raises:
        ValueError: There would be nothing on the server.
    """

    def __init__(
        self,
        tables: Mapping[str, Rows],
        config: ParallelismConfig,
        numbers: Numbers,
        rank: int,
        world: int,
        broadcast: Callable[[Any], Any],
        barrier: Callable[[], object],
    ) -> None:
        self.tables = [each for each in tables.values() if isinstance(each, ServedRows)]
        self.is_there = config.rows == "served"
        if self.is_there and not self.tables and not config.serves_layers:
            raise ValueError(
                "rows: served, and this use case has no table of rows: nothing would be served. Leave it out, or take "
                "server.mode: sync."
            )
        for name, each in tables.items():
            if isinstance(each, ServedRows):
                each.name, each.end = name, self
        self._config, self._rank, self._world = config, rank, world
        self._broadcast, self._barrier = broadcast, barrier
        self._numbers = numbers
        self._layers: ServedLayers | None = None
        self._server: ParameterServer | None = None
        self._coming: dict[tuple[str, int], Found] = {}
        self._share = 0 if config.leases else rank
        self._sending = Sending(config, self._share)
        self._goes_on, self._pass = False, range(0)

    def begin(self, step: int = 0, optimizer: Optimizer | None = None) -> None:
        """Have shards learn from this step on, from what the trainers have of the tables.

        Where each trainer steps by itself, shards go on with what they have learned, if all of them still have it:
        then the training does not go back to its checkpoint.

        Args:
            step: Of the training.
            optimizer: Remembers something of them, if they were loaded.
        """
        if not self.is_there:
            return
        if self._server is None:
            told = StreamTold(
                trainer=f"rank {self._rank}", numbers=self._numbers, rounds=self._config.server.travels == "bfloat16"
            )
            self._server, self._goes_on = joined(self._config, told, first=self._rank == 0, tell=self._broadcast)
        if not self._goes_on:
            self._hand_over(step, optimizer)
        for each in self.tables:
            let_go(each, optimizer)
        if optimizer is not None:
            self.begin_layers(optimizer)

    def _hand_over(self, step: int, optimizer: Optimizer | None) -> None:
        told = [each.told() for each in self.tables]
        have_begun(
            self.server, self._config, told, step, world=self._world, first=self._rank == 0, tell=self._broadcast
        )
        self._barrier()  # shards know it now
        for each in self.tables:
            hand_over(self.server, each, optimizer)
        self._barrier()  # and have all rows

    def begin_layers(self, optimizer: Optimizer) -> None:
        """Have shards learn the layers from what the first trainer has of them, if they are to."""
        if not self._config.serves_layers:
            return
        self._layers = ServedLayers(self.server, optimizer)
        if self._rank == 0 and not self._goes_on:
            self.server.declare(layers=self._layers.told())
            self._layers.hand_over()
        self._layers.forget()
        self._barrier()  # shards have them

    def take_layers(self, step: int | None) -> None:
        """Have the layers as a step reads them here, or their averages."""
        if step is None:
            self.end_pass()
        if self._layers is not None:
            wanted = self._layers.wanted()
            coming = (
                self.server.read(wanted, averages=True) if step is None else self.server.pull(step, self._share, wanted)
            )
            self._layers.take(coming.result())

    def look_up(self, table: ServedRows, number_U: Tensor) -> Tensor:
        """Return rows of a step, or their averages, where nothing is learned."""
        wanted = {table.name: number_U.cpu()}
        if table.step is None:
            return self.server.read(wanted, averages=True).result()[table.name]
        found = self._coming.pop((table.name, table.step), None) or self.server.pull(table.step, self._share, wanted)
        return found.result()[table.name]

    @property
    def looks_ahead(self) -> bool:
        """Whether rows may come before the step before has ended."""
        return self.is_there and self._config.server.staleness > 0 and not self._config.leases

    def look_ahead(self, module: LayeredModule, batch: Batch) -> None:
        """Have the rows of a batch come."""
        for table, number in module.reads(batch, first=True, last=True, learns=True):
            if isinstance(table, ServedRows) and number is not None:
                wanted = {table.name: torch.unique(number.cpu())}
                self._coming[table.name, batch.step] = self.server.pull(batch.step, self._share, wanted)

    def lease(self, steps: range) -> int | None:
        """Return a step of a pass to work on; None once all were taken, whoever did."""
        self._sending.settle(self.server)
        if steps != self._pass:  # all before it were taken, whatever a shard that was restored knows
            self._pass = steps
            self.server.go_on(Taken(steps.start))
        while True:
            found = self.server.lease(f"rank {self._rank}", steps, self._sending.ended(steps))
            if found.step is not None or found.is_done:
                return found.step

    def end_pass(self) -> None:
        """Say that the last step was taken: others wait for it, and this trainer may have no turn any more."""
        if self.is_there and self._config.leases:
            self._sending.settle(self.server)
            if (step := self._sending.ended(self._pass)) is not None:
                self.server.end(step)

    def ranks(self, table: ServedRows, asked: Asked) -> Tensor:
        """Rank all rows for states."""
        parts = (asked.state_TD, *asked.targets, *asked.hidden)
        state_TD, number_T, row_TD, state_H, row_H = (each.cpu() for each in parts)
        here = Asked(state_TD, Targets(number_T, row_TD), Hidden(state_H, row_H))
        return self.server.ranks(table.name, here).to(asked.state_TD.device)

    def learn(self, table: ServedRows, number_U: Tensor, gradient_UD: Tensor) -> None:
        """Keep a gradient until it is sent."""
        self._sending.keep(table, number_U, gradient_UD)

    def send(self, optimizer: Optimizer, step: int) -> None:
        """Send this trainer's share of a step."""
        if self.is_there:
            self._sending.send(self.server, optimizer, step, {} if self._layers is None else self._layers.gradients())

    def squared_norm(self) -> float:
        """Return the squared length of the step's gradient, of all trainers; NaN where it is no number."""
        return self._sending.squared_norm(self.server) if self.is_there else 0.0

    def scale(self, factor: float) -> None:
        """Have the step taken, its gradient scaled."""
        if self.is_there:
            self._sending.scale(self.server, factor)
            if not self.looks_ahead and not self._config.leases:
                self._sending.settle(self.server)

    @contextmanager
    def on_hand(self, optimizer: Optimizer) -> Iterator[None]:
        """Have what is saved here, with what is remembered of it: this trainer's range of each table, and layers."""
        if self.is_there:
            self._sending.settle(self.server)
        for each in self.tables:
            fetch(self.server, each, optimizer)
        if self._layers is not None:
            self._layers.fetch()
        yield
        for each in self.tables:
            let_go(each, optimizer)
        if self._layers is not None:
            self._layers.forget()

    def make_room(self) -> None:
        """Have room for this trainer's range of each table."""
        for each in self.tables:
            make_room(each)

    def close(self) -> None:
        """Leave the shards."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def server(self) -> ParameterServer:
        """Return it, once the training has begun."""
        assert self._server is not None
        return self._server
