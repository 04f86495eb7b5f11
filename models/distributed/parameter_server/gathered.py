"""What comes to a shard for steps to be taken, added up. Shape letters: U rows of a step, D width, P of a piece."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.distributed.parameter_server.errors import RefusedError
from models.distributed.parameter_server.wire import Message, Part

MOST_AHEAD = 10_000
"""Steps that a push may be ahead of the first that was not taken: what waits for others takes room."""
LENGTHS_KEPT = 8
"""Steps whose gradient's length can still be asked for: a trainer asks again when an answer was lost."""


class Gradient(NamedTuple):
    """Of one table's rows, or of a piece of the layers.

    Attributes:
        value: (U, D), or (P,).
        number_U: int64, ascending, each once; None of layers.
        rate: Learning rate of the step.
    """

    value: Tensor
    number_U: Tensor | None = None
    rate: float = 0.0


Wanted = Mapping[str, Tensor | None]
"""Name to numbers of rows, int64, ascending, each once; None of layers."""
Gradients = Mapping[str, Gradient]
"""By the name of what learns."""


class Push(NamedTuple):
    """One share of a step.

    Attributes:
        step: Which.
        share: Which of them, from 0.
        gradients: Of this shard's parameters; those that it has none of are left out.
        factor: That the step's gradient is scaled by; None when it follows from the whole gradient's length.
    """

    step: int
    share: int
    gradients: Gradients
    factor: float | None = 1.0


def as_message(push: Push) -> Message:
    """Return what a shard is told of a push."""
    rates = {name: each.rate for name, each in push.gradients.items()}
    words = {"do": "push", "step": push.step, "share": push.share, "factor": push.factor, "rates": rates}
    return Message(words, {name: Part(each.value, each.number_U) for name, each in push.gradients.items()})


def check(push: Push, shares: int, taken: int) -> None:
    """See that a push is of a share and a step that may come, at a rate.

    Args:
        push: What came; its gradients are another's to check.
        shares: That a step has.
        taken: Steps from 0 that were taken, all of them.

    Raises:
        RefusedError: It is not.
    """
    if not 0 <= push.share < shares:
        raise RefusedError(f"share {push.share}: step {push.step} has {shares}, from 0.")
    if not 0 <= push.step <= taken + MOST_AHEAD:
        raise RefusedError(f"step {push.step:,}: all before {taken:,} are taken, and none so far ahead.")
    factors = {"": push.factor or 0.0, **{f" of {name!r}": each.rate for name, each in push.gradients.items()}}
    if wrong := [f"the rate{name} is {value}" for name, value in factors.items() if not math.isfinite(value)]:
        raise RefusedError(f"step {push.step}: {', '.join(wrong)}.")


class Gathering:
    """The shares of steps that were not taken yet; not safe for threads.

    Args:
        shares: That make a step.
    """

    def __init__(self, shares: int) -> None:
        self.shares = shares
        self.squared_norms: dict[int, float] = {}
        self._pushes: dict[int, dict[int, Push]] = {}
        self._whole: dict[int, Gradients] = {}

    def has(self, step: int, share: int) -> bool:
        """Whether this share came before."""
        return share in self._pushes.get(step, {})

    def is_whole(self, step: int) -> bool:
        """Whether all shares of a step are there."""
        return step in self._whole

    def add(self, push: Push) -> None:
        """Keep a share; with the last one, add them up."""
        pushes = self._pushes.setdefault(push.step, {})
        pushes[push.share] = push
        if len(pushes) < self.shares:
            return
        self._whole[push.step] = whole = _added([pushes[share] for share in sorted(pushes)])
        if push.factor is None:
            self.squared_norms[push.step] = squared_norm(whole)
            for old in sorted(self.squared_norms)[:-LENGTHS_KEPT]:
                del self.squared_norms[old]

    def pop(self, step: int) -> Gradients:
        """Take out a whole step."""
        del self._pushes[step]
        return self._whole.pop(step)

    @property
    def pushes(self) -> list[Push]:
        """Return what came for steps that were not taken."""
        return [push for pushes in self._pushes.values() for push in pushes.values()]

    def drop(self, steps: Iterable[int]) -> None:
        """Forget what came for steps."""
        for step in steps:
            self._pushes.pop(step, None)
            self._whole.pop(step, None)

    def lacks(self, step: int) -> str:
        """Say which shares of a step did not come."""
        missing = sorted(set(range(self.shares)) - self._pushes.get(step, {}).keys())
        if not missing:
            return f"what step {step} is to be scaled by"
        return f"share{'' if len(missing) == 1 else 's'} {', '.join(map(str, missing))} of step {step}"


def _added(pushes: Sequence[Push]) -> Gradients:
    """Add shares in their order: the sum is the same whichever came first."""
    names = dict.fromkeys(name for push in pushes for name in push.gradients)
    return {name: _sum([push.gradients[name] for push in pushes if name in push.gradients]) for name in names}


def _sum(gradients: Sequence[Gradient]) -> Gradient:
    first = gradients[0]
    if len(gradients) == 1:
        return first
    if first.number_U is None:
        return first._replace(value=torch.stack([each.value for each in gradients]).sum(dim=0))
    number_V = torch.cat([each.number_U for each in gradients if each.number_U is not None])
    number_U, place_V = torch.unique(number_V, return_inverse=True)
    added_UD = first.value.new_zeros(len(number_U), first.value.shape[1])
    added_UD.index_add_(0, place_V, torch.cat([each.value for each in gradients]))
    return Gradient(added_UD, number_U, first.rate)


def squared_norm(gradients: Gradients) -> float:
    """Return the squared length of a gradient."""
    return sum(float(each.value.double().square().sum()) for each in gradients.values())
