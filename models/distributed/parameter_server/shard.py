"""One shard of a parameter server: who may read what it holds when, and what is learned of what is sent.

Rules alone: no socket, no process, no file. Any thread may call any method.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from models.distributed.parameter_server.clock import Clock
from models.distributed.parameter_server.compensation import Compensation
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.done import Done
from models.distributed.parameter_server.errors import BrokenError, LateError, OtherEpochError, RefusedError
from models.distributed.parameter_server.gathered import Gathering, Push, check
from models.distributed.parameter_server.leases import Lease, Leases
from models.distributed.parameter_server.ranking import ranks_among
from models.distributed.parameter_server.state import State
from models.distributed.parameter_server.stores import Stores, Wanted
from models.rows.ranking import Hidden, Targets
from models.rows.shard import Shard


class ParameterShard:
    """Holds parameters, gives them to trainers, and learns from the gradients that they send.

    Args:
        rules: Of the training.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules, self.epoch = rules, rules.epoch
        self.shard = Shard(rules.rank, rules.world)
        self.stores = Stores(self.shard)
        self.clock = Clock(rules.staleness, rules.taken, rules.beyond)
        self._gathering = Gathering(rules.shares)
        self._compensation = Compensation(rules.compensation)
        self._counts, self._waited = Counter[str](), Counter[int]()
        self._changed = threading.Condition()
        self._leases: Leases | None = None
        self._broken = ""

    def declare(self, told: Table | Layers, *, epoch: int) -> None:
        """See `Stores.declare`."""
        with self._locked(epoch):
            self.stores.declare(told)

    def put(self, name: str, tensors: Mapping[str, Tensor], *, epoch: int, first: int = 0) -> None:
        """Take over what `State` says of a table or of layers, as far as this shard has it; see `LayerStore.put`."""
        with self._locked(epoch):
            self.stores.put(name, tensors, first)

    def pull(self, step: int, share: int, wanted: Wanted, *, epoch: int, seconds: float) -> dict[str, Tensor]:
        """Look parameters up for a share of a step, once that may be.

        Args:
            step: Which.
            share: Which of its shares.
            wanted: What it reads.
            epoch: That the trainer knows.
            seconds: How long it may take.

        Returns:
            Name to rows of a table, (U, D), or numbers of layers, (P,).

        Raises:
            RefusedError: There is no such table, or row.
            OtherEpochError: See there.
            LateError: Steps that it waits for were not taken.
        """
        with self._locked(epoch):
            began = time.monotonic()
            self._wait(lambda: self.clock.may_look_up(step), seconds, lambda: self._waits_for(step))
            self._waited[share] += time.monotonic() - began  # type: ignore[assignment]  # numbers of any kind
            found = self.stores.read(wanted)
            self.clock.look_up(step, share)
            if not self.clock.is_taken(step):
                self._compensation.remember(step, wanted, found)
            return found

    def read(self, wanted: Wanted, *, epoch: int, averages: bool) -> dict[str, Tensor]:
        """Return parameters as they are, or their averages; see `pull`."""
        with self._locked(epoch):
            return self.stores.read(wanted, averages_of=self.clock.count if averages else None)

    def put_layers(self, name: str, tensors: Mapping[str, Tensor], steps: int, *, epoch: int) -> None:
        """Have this shard's piece of layers be as `LayerStore.state` says, after so many steps."""
        with self._locked(epoch):
            self.stores.layers(name).be(tensors, steps)

    def layers(self, name: str, *, epoch: int) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and a copy of what `LayerStore.state` says, but for single numbers."""
        with self._locked(epoch):
            state = self.stores.layers(name).state()
            return self.clock.count, {each: value.clone() for each, value in state.items() if value.ndim}

    def state_of(self, name: str, number_U: Tensor, *, epoch: int) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and all that there is of some rows; see `RowStore.state_of`."""
        with self._locked(epoch):
            self.stores.check_rows(name, number_U)
            return self.clock.count, self.stores.rows(name).state_of(number_U)

    def ranks(self, name: str, state_TD: Tensor, targets: Targets, hidden: Hidden, *, epoch: int) -> Tensor:
        """Rank this shard's rows for states, by their averages; see `models.rows.ranking.ranks`."""
        with self._locked(epoch):
            return ranks_among(self.stores.rows(name), state_TD, targets, hidden, self.clock.count)

    def lease(self, trainer: str, steps: range, ended: int | None, *, epoch: int, seconds: float) -> Lease:
        """Return a step of a pass that a trainer may work on, once there is one; see `Leases`.

        Args:
            trainer: Who asks.
            steps: Of the pass.
            ended: The step that it had: all shards have taken it.
            epoch: That it knows.
            seconds: How long it waits.
        """
        with self._locked(epoch):
            if self._leases is None or self._leases.steps != steps:
                self._leases = Leases(steps, self.rules.staleness, filter(self.clock.is_taken, steps))
            leases, found = self._leases, list[int]()
            if ended is not None:
                leases.end(ended)
                self._changed.notify_all()

            def asked() -> bool:
                if (step := leases.lease(trainer)) is not None:
                    found.append(step)
                return bool(found) or leases.is_done

            self._changed.wait_for(lambda: self.epoch != epoch or asked(), seconds)
            self._check(epoch)
            return Lease(found[0] if found else None, leases.is_done)

    def push(self, push: Push, *, epoch: int) -> None:
        """Take a share of a step in; with the last one, the step is taken, if its factor is known.

        What came before is not learned from again, whoever sends it.

        Raises:
            RefusedError: Something is wrong with it: nothing of it was learned.
            OtherEpochError: See there.
        """
        with self._locked(epoch):
            check(push, self.rules.shares, self.clock.taken)
            self.stores.check(push.gradients)
            if self.clock.is_taken(push.step) or self._gathering.has(push.step, push.share):
                self._counts["repeated"] += 1
                return
            self._gathering.add(push)
            self._counts["pushes"] += 1
            if self._gathering.is_whole(push.step) and push.factor is not None:
                self._take(push.step, push.factor)
            self._changed.notify_all()

    def squared_norm(self, step: int, *, epoch: int, seconds: float) -> float:
        """Return the squared length of a step's gradient as far as this shard has it, once all shares are there.

        Raises:
            OtherEpochError: See there.
            LateError: A share did not come.
        """
        with self._locked(epoch):
            found = self._gathering.squared_norms
            self._wait(lambda: step in found, seconds, lambda: self._gathering.lacks(step))
            return found[step]

    def scale(self, step: int, factor: float, *, epoch: int) -> None:
        """Take a step whose factor was not known; one that was taken stays as it is.

        Raises:
            RefusedError: A share of it is missing.
            OtherEpochError: See there.
        """
        with self._locked(epoch):
            if self.clock.is_taken(step):
                return
            if not math.isfinite(factor):
                raise RefusedError(f"step {step} cannot be scaled by {factor}.")
            if not self._gathering.is_whole(step):
                raise RefusedError(f"step {step} cannot be taken without {self._gathering.lacks(step)}.")
            self._take(step, factor)
            self._changed.notify_all()

    def forget(self, steps: int) -> int:
        """Forget the rows that none of the last so many steps has learned from, and return how many these were."""
        with self._changed:
            forgotten = self.stores.forget(self.clock.count - steps + 1)
            self._counts["forgotten"] += forgotten
            return forgotten

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

    def done(self) -> Done:
        """Return what it has done."""
        with self._changed:
            seen = {"staleness": dict(self.clock.staleness_seen), "waited": dict(self._waited)}
            return Done.model_validate({"taken": self.clock.count, "held": self.stores.held, **self._counts, **seen})

    def state(self) -> State:
        """Return a copy of all that it has learned."""
        with self._changed:
            told = {name: self.stores[name].told for name in self.stores}
            return State(self.clock.taken, self.clock.beyond, told, self.stores.state())

    @contextmanager
    def _locked(self, epoch: int) -> Iterator[None]:
        with self._changed, torch.no_grad():
            self._check(epoch)
            yield

    def _check(self, epoch: int) -> None:
        if self._broken:
            raise BrokenError(f"shard {self.shard.rank}: {self._broken}. Go on from the last checkpoint.")
        if epoch != self.epoch:
            raise OtherEpochError(
                f"shard {self.shard.rank} is of placement {self.epoch}, the message of {epoch}: ask where shards are."
            )

    def _wait(self, until: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
        epoch = self.epoch
        if not self._changed.wait_for(lambda: until() or self.epoch != epoch, seconds):
            raise LateError(f"shard {self.shard.rank} has waited {seconds:g} s for {what()}.")
        self._check(epoch)

    def _waits_for(self, step: int) -> str:
        missing = self.clock.missing(step)
        return f"{len(missing):,} steps before step {step}, first of all {self._gathering.lacks(missing[0])}"

    def _take(self, step: int, factor: float) -> None:
        """Learn from a step. What was half learned when something failed cannot be mended: nobody goes on with it."""
        try:
            self._learn(step, factor)
        except BaseException as error:
            self._broken = f"step {step} was learned in part ({type(error).__name__}: {error})"
            raise

    def _learn(self, step: int, factor: float) -> None:
        gradients = self._compensation.corrected(step, self._gathering.pop(step), self.stores)
        learned = self.stores.learn(gradients, factor=factor, step=self.clock.count + 1)
        self._counts.update(steps=1, moved=learned.rows, dropped=learned.dropped)
        self.clock.take(step, self._gathering.shares)
