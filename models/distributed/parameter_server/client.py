"""A trainer's end of a parameter server: one stream to each shard, and what each asks of it in turn.

Shape letters: U rows of a step, D width, P numbers of layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from typing import NamedTuple

import torch
from torch import Tensor

from models.distributed.parameter_server.dealt import is_own
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.done import Done
from models.distributed.parameter_server.errors import LateError
from models.distributed.parameter_server.gathered import Push
from models.distributed.parameter_server.leases import Lease
from models.distributed.parameter_server.line import BEYOND_SECONDS, Line
from models.distributed.parameter_server.service import StreamTold
from models.distributed.parameter_server.stores import Wanted
from models.distributed.parameter_server.wire import Message, Part, Parts, Words
from models.rows.shard import Asked, Shard

LEASE_SECONDS = 5.0
"""How long a trainer waits for a step before it asks again."""
Answers = Sequence[Future[Message]]
"""Of all shards, in their order; they come while other work is done."""


class ParameterServer:
    """All shards, for one trainer. Its questions are asked in order; answers are waited for only where they are needed.

    Args:
        endpoints: Of the shards, in their order.
        told: What the trainer says.
        seconds: How long a shard may take for an answer.
        token: Of the training.
    """

    def __init__(self, endpoints: Sequence[str], told: StreamTold, *, seconds: float = 60.0, token: str = "") -> None:
        self.epoch, self.seconds = 0, seconds
        self._lines = [Line(endpoint, told, token) for endpoint in endpoints]
        self._shards = [Shard(rank, len(endpoints)) for rank in range(len(endpoints))]

    def begin(self, rules: Rules) -> None:
        """Have all shards begin a training, or go on with one, whose trainers say the same; see `ShardService`."""
        self.epoch = rules.epoch
        told = [rules.model_copy(update=each._asdict()).model_dump() for each in self._shards]
        self.wait([line.ask({"do": "begin", **each}) for line, each in zip(self._lines, told, strict=True)])

    def declare(self, rows: Sequence[Table] = (), layers: Sequence[Layers] = ()) -> None:
        """Have tables and layers held, see `Stores.declare`."""
        words = {"rows": [each.model_dump() for each in rows], "layers": [each.model_dump() for each in layers]}
        self.wait(self._ask({"do": "declare", **words}))

    def pull(self, step: int, share: int, wanted: Wanted) -> Found:
        """Look parameters up, see `ParameterShard.pull`."""
        words = {"do": "pull", "step": step, "share": share, "seconds": self.seconds}
        return self._find(words, wanted)

    def read(self, wanted: Wanted, *, averages: bool = False) -> Found:
        """Read parameters as they are, or their averages."""
        return self._find({"do": "read", "averages": averages}, wanted)

    def push(self, push: Push) -> Answers:
        """Send each shard its part of a share of a step, see `ParameterShard.push`."""
        rates = {name: each.rate for name, each in push.gradients.items()}
        words = {"do": "push", "step": push.step, "share": push.share, "factor": push.factor, "rates": rates}
        return self._ask(words, {name: Part(each.value, each.number_U) for name, each in push.gradients.items()})

    def squared_norm(self, step: int) -> float:
        """Return the squared length of a step's gradient, once all shares are there."""
        answers = self.wait(self._ask({"do": "squared_norm", "step": step, "seconds": self.seconds}))
        return sum(float(each.words["squared_norm"]) for each in answers)

    def scale(self, step: int, factor: float) -> Answers:
        """Have a step taken, see `ParameterShard.scale`."""
        return self._ask({"do": "scale", "step": step, "factor": factor})

    def lease(self, trainer: str, steps: range, ended: int | None) -> Lease:
        """Ask the first shard for a step of a pass, see `ParameterShard.lease`."""
        words = {"do": "lease", "trainer": trainer, "steps": [steps.start, steps.stop], "ended": ended}
        (answer,) = self.wait([self._lines[0].ask({**words, "epoch": self.epoch, "seconds": LEASE_SECONDS})])
        return Lease(**answer.words)

    def put(self, name: str, number_U: Tensor, tensors: Mapping[str, Tensor]) -> None:
        """Have rows held, see `RowStore.put`."""
        self.wait(
            self._ask({"do": "put", "name": name}, {each: Part(value, number_U) for each, value in tensors.items()})
        )

    def put_layers(self, name: str, steps: int, tensors: Mapping[str, Tensor]) -> None:
        """Have layers be as `LayerStore.state` says, after so many steps; all numbers of the vector, (P,) each."""
        parts = {each: Part(value) for each, value in tensors.items()}
        self.wait(self._ask({"do": "put_layers", "name": name, "steps": steps}, parts))

    def layers(self, name: str) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and what `LayerStore.state` says of all numbers of layers, (P,) each."""
        answers = self.wait(self._ask({"do": "layers", "name": name}))
        found = {each: torch.cat([answer.parts[each].value for answer in answers]) for each in answers[0].parts}
        return int(answers[0].words["taken"]), found

    def state_of(self, name: str, number_U: Tensor) -> tuple[int, dict[str, Tensor]]:
        """Return how many steps were taken, and all that there is of some rows, see `RowStore.state_of`."""
        answers = self.wait(self._ask({"do": "state_of"}, {name: Part.asked(number_U)}))
        found = {
            each: self.joined([answer.parts[each].value for answer in answers], number_U) for each in answers[0].parts
        }
        return int(answers[0].words["taken"]), found

    def ranks(self, name: str, asked: Asked) -> Tensor:
        """Rank all rows for states, by their averages; see `models.rows.ranking.ranks`."""
        parts = {
            "state": Part(asked.state_TD, asked.targets.number_T),
            "target": Part(asked.targets.row_TD, asked.targets.number_T),
            "hidden states": Part.asked(asked.hidden.state_H),
            "hidden rows": Part.asked(asked.hidden.row_H),
        }
        words = {"do": "ranks", "name": name, "epoch": self.epoch}
        answers = self.wait([line.ask(words, parts) for line in self._lines])
        return torch.stack([each.parts["rank"].value for each in answers]).sum(dim=0)

    def done(self) -> Done:
        """Return what all shards have done."""
        answers = self.wait(self._ask({"do": "done"}))
        return Done.together([Done.model_validate(each.words["done"]) for each in answers])

    def wait(self, answers: Answers) -> list[Message]:
        """Return what the shards have answered.

        Raises:
            LateError: One does not answer.
            ParameterServerError: One could not do it, or is gone.
        """
        try:
            return [each.result(self.seconds + BEYOND_SECONDS) for each in answers]
        except NoAnswerError:
            silent = [line for line, each in zip(self._lines, answers, strict=True) if not each.done()]
            for line in silent:
                line.cut()
            named = ", ".join(line.endpoint for line in silent)
            raise LateError(f"no answer in {self.seconds + BEYOND_SECONDS:g} s from the shard at {named}.") from None

    def close(self) -> None:
        """End all streams."""
        for line in self._lines:
            line.close()

    def _find(self, words: Words, wanted: Wanted) -> Found:
        answers = self._ask(words, {name: Part.asked(number_U) for name, number_U in wanted.items()})
        return Found(self, answers, wanted)

    def joined(self, pieces: Sequence[Tensor], number_U: Tensor | None) -> Tensor:
        """Return rows, or layers, of which each shard has given some."""
        if len(pieces) == 1:
            return pieces[0]
        if number_U is None:
            return torch.cat([*pieces])
        row_UD = pieces[0].new_empty(len(number_U), pieces[0].shape[1])
        for piece_UD, shard in zip(pieces, self._shards, strict=True):
            row_UD[is_own(number_U, shard)] = piece_UD
        return row_UD

    def _ask(self, words: Words, parts: Parts | None = None) -> Answers:
        """Ask each shard, of each tensor for what the shard has of it."""
        told = {**words, "epoch": self.epoch}
        return [
            line.ask(told, {name: _cut(part, shard) for name, part in (parts or {}).items()})
            for line, shard in zip(self._lines, self._shards, strict=True)
        ]


class Found(NamedTuple):
    """Parameters that are on their way from all shards."""

    server: ParameterServer
    answers: Answers
    wanted: Wanted

    def result(self) -> dict[str, Tensor]:
        """Wait for them, and return them by name, rows in the order in which they were asked for; see `wait`."""
        pieces = [each.parts for each in self.server.wait(self.answers)]
        return {
            name: self.server.joined([each[name].value for each in pieces], number_U)
            for name, number_U in self.wanted.items()
        }


def _cut(part: Part, shard: Shard) -> Part:
    """Return what a shard has of a tensor."""
    if shard.world == 1:
        return part
    if part.number_U is None:
        own = shard.own(len(part.value))
        return Part(part.value[own.start : own.stop])
    is_own_U = is_own(part.number_U, shard)
    return Part(part.value[is_own_U], part.number_U[is_own_U])
