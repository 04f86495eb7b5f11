"""One shard of a parameter server: who may read what it holds when, and what is learned of what is sent.

Rules alone: no socket, no process, no file. Any thread may call any method.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from models.distributed.parameter_server.compensation import Compensation
from models.distributed.parameter_server.declared import Rules
from models.distributed.parameter_server.done import Done
from models.distributed.parameter_server.errors import RefusedError
from models.distributed.parameter_server.gathered import Gathering, Push, Wanted, check
from models.distributed.parameter_server.held import Held
from models.distributed.parameter_server.leases import Lease, Leases


class Unfinished(NamedTuple):
    """What a shard knows beside what it has learned.

    Attributes:
        pushes: Shares of steps that were not taken.
        norms: Step to the squared length of its gradient, of those that can be asked for.
        is_restored: Whether it was.
        counts: See `Done`.
    """

    pushes: Sequence[Push]
    norms: Mapping[str, float]
    is_restored: bool
    counts: Mapping[str, int]


class ParameterShard(Held):
    """Holds parameters, gives them to trainers, and learns from the gradients that they send.

    Args:
        rules: Of the training.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._gathering = Gathering(rules.shares)
        self._compensation = Compensation(rules.compensation)
        self._waited = Counter[int]()
        self._leases: Leases | None = None
        self.is_restored = False

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

    def lease(self, trainer: str, steps: range, ended: int | None, *, start: int, epoch: int, seconds: float) -> Lease:
        """Return a step of a pass that a trainer may work on, once there is one; see `Leases`.

        Args:
            trainer: Who asks.
            steps: Of the pass.
            ended: The step that it had: all shards have taken it.
            start: Of trainers: what those before them had is given back.
            epoch: That it knows.
            seconds: How long it waits.
        """
        with self._locked(epoch):
            if self._leases is None or (self._leases.steps, self._leases.start) != (steps, start):
                self._leases = Leases(steps, self.rules.staleness, filter(self.clock.is_taken, steps), start=start)
            leases, found = self._leases, list[int]()
            if ended is not None:
                leases.end(ended)
            leases.give_back(trainer)  # one whose answer it never got
            self._changed.notify_all()

            def asked() -> bool:
                if (step := leases.lease(trainer)) is not None:
                    found.append(step)
                return bool(found) or leases.is_done

            self._changed.wait_for(lambda: self._is_over(epoch) or asked(), seconds)
            self._check(epoch)
            return Lease(found[0] if found else None, leases.is_done)

    def end(self, step: int, *, epoch: int) -> None:
        """Count a leased step: all shards have taken it."""
        with self._locked(epoch):
            if self._leases is not None:
                self._leases.end(step)
                self._changed.notify_all()

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
            RefusedError: The step was taken long ago.
            OtherEpochError: See there.
            LateError: A share did not come.
        """
        with self._locked(epoch):
            found = self._gathering.squared_norms
            self._wait(lambda: step in found or self.clock.is_taken(step), seconds, lambda: self._gathering.lacks(step))
            if step not in found:
                raise RefusedError(f"step {step} was taken, and the length of its gradient is not known any more.")
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
            if not self._gathering.is_whole(step) and self.is_restored:
                self._lose([step])  # who knows the factor has seen it whole, and others are beyond it
                return
            if not self._gathering.is_whole(step):
                raise RefusedError(f"step {step} cannot be taken without {self._gathering.lacks(step)}.")
            self._take(step, factor)
            self._changed.notify_all()

    def go_on(
        self, taken: int, beyond: Sequence[int], norms: Mapping[str, float], *, epoch: int, force: bool = False
    ) -> int:
        """Count steps as taken that others know of, where this shard was restored and may not; return how many.

        Args:
            taken: Steps from 0, all of them,
            beyond: and those after them.
            norms: Squared lengths of steps' gradients, as the shard has said before: others may ask once more.
            epoch: That the trainer knows.
            force: Whether it was restored or not.
        """
        with self._locked(epoch):
            known = {int(step): value for step, value in norms.items()}
            self._gathering.squared_norms.update(known | self._gathering.squared_norms)
            lost = self.clock.go_on(taken, beyond) if self.is_restored or force else []
            self._lose(lost)
            return len(lost)

    def _lose(self, steps: Sequence[int]) -> None:
        self.clock.go_on(0, steps)
        self._gathering.drop(steps)
        self._counts["lost"] += len(steps)
        self._changed.notify_all()

    @property
    def unfinished(self) -> Unfinished:
        """Return what a process that holds the same has to know beside `state`."""
        with self._changed:
            norms = {str(step): value for step, value in self._gathering.squared_norms.items()}
            return Unfinished(self._gathering.pushes, norms, self.is_restored, dict(self._counts))

    def be_like(self, norms: Mapping[str, float], counts: Mapping[str, int], *, is_restored: bool, epoch: int) -> None:
        """Know what `unfinished` says of another process, but for its pushes."""
        with self._locked(epoch):
            self._gathering.squared_norms.update({int(step): value for step, value in norms.items()})
            self._counts.update(counts)
            self.is_restored = is_restored

    def count(self, name: str, number: int = 1) -> None:
        """Count something that happened, see `Done`."""
        self._counts[name] += number

    def done(self) -> Done:
        """Return what it has done."""
        with self._changed:
            seen = {"staleness": dict(self.clock.staleness_seen), "waited": dict(self._waited)}
            return Done.model_validate({"taken": self.clock.count, "held": self.stores.held, **self._counts, **seen})

    def _waits_for(self, step: int) -> str:
        missing = self.clock.missing(step)
        return f"{len(missing):,} steps before step {step}, first of all {self._gathering.lacks(missing[0])}"

    def _take(self, step: int, factor: float) -> None:
        """Learn from a step. What was half learned when something failed cannot be mended: nobody goes on with it."""
        try:
            self._learn(step, factor)
        except BaseException as error:
            self.give_up(f"step {step} was learned in part ({type(error).__name__}: {error})")
            raise

    def _learn(self, step: int, factor: float) -> None:
        gradients = self._compensation.corrected(step, self._gathering.pop(step), self.stores)
        learned = self.stores.learn(gradients, factor=factor, step=self.clock.count + 1)
        self._counts.update(steps=1, moved=learned.rows, dropped=learned.dropped)
        self.clock.take(step, self._gathering.shares)
        if (after := self.rules.forgotten_after) and self.clock.count % after == 0:
            self._counts["forgotten"] += self.stores.forget(self.clock.count - after + 1)
