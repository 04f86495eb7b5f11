"""A trainer's end of a parameter server: what each shard is asked in turn.

Shape letters: U rows of a step, D width, P numbers of layers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.distributed.parameter_server.dealt import cut, joined
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.done import Done
from models.distributed.parameter_server.errors import ParameterServerError
from models.distributed.parameter_server.gathered import Push, Wanted, as_message
from models.distributed.parameter_server.leases import Lease
from models.distributed.parameter_server.links import Answers, Links, Taken
from models.distributed.parameter_server.placement import Directory, Placement
from models.distributed.parameter_server.wire import Message, Part, Parts, StreamTold, Words
from models.rows.shard import Asked, Shard

LEASE_SECONDS = 5.0
"""How long a trainer waits for a step before it asks again."""

logger = logging.getLogger(__name__)


class ParameterServer:
    """All shards, for one trainer. Its questions are asked in order; answers are waited for only where they are needed.

    Args:
        directory: Where the shard map is.
        placement: The map, as this trainer starts.
        told: What the trainer says.
        seconds: How long a shard may take for an answer.
        token: Of the training.
    """

    def __init__(
        self,
        directory: Directory,
        placement: Placement,
        told: StreamTold,
        *,
        seconds: float = 60.0,
        token: str = "",
    ) -> None:
        self.seconds, self.together = seconds, True
        self._directory = directory
        self._links = Links(directory, placement, told, seconds=seconds, token=token)
        self._links.known = self._known
        self._shards = [Shard(rank, len(self._links)) for rank in range(len(self._links))]

    def begin(self, rules: Rules) -> None:
        """Have all shards begin a training, whose trainers say the same; see `ShardService`."""
        told = [rules.model_copy(update=each._asdict()).model_dump() for each in self._shards]
        self.wait([self._links.ask(rank, {"do": "begin", "rules": each}) for rank, each in enumerate(told)])

    @property
    def placement(self) -> Placement:
        """Return the shard map, as this trainer knows it."""
        return self._links.placement

    @placement.setter
    def placement(self, placement: Placement) -> None:
        self._links.begin(placement)

    def anew(self) -> Placement:
        """Have the shard map say that shards learn from here on; nothing that they held is of use any more."""
        return self._directory.begin(self.placement)

    def learned(self) -> int:
        """Return how many steps shards have learned from since they began; 0 if one has lost what it held.

        Trainers that have taken one had handed over all that there was. What the first shard has taken, and another has
        not, since a trainer died between the two, is not done again: its rows there have not learned from it.
        """
        try:
            found = [each.words for each in self.wait(self._ask({"do": "taken"}))]
        except ParameterServerError as error:
            logger.info("%s", error)
            return 0
        if any(each["origin"] != self.placement.origin for each in found):
            return 0
        self.go_on(Taken(found[0]["taken"], found[0]["beyond"]), all_shards=True)
        return max(int(each["learned"]) for each in found)

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
        """Send each shard its part of a share of a step, see `ParameterShard.push`.

        The first shard comes last: it says which steps of a pass were taken, and who dies meanwhile leaves the step to
        others.
        """
        return self._kept(push.step, self._ask(*as_message(push), last_first=True))

    def go_on(self, taken: Taken, *, all_shards: bool = False) -> None:
        """Have shards that were restored, or all, count steps as taken that they have not learned from."""
        words = {"do": "go_on", "taken": taken.before, "beyond": list(taken.beyond), "norms": {}, "force": all_shards}
        self.wait(self._ask(words))

    def end(self, step: int) -> None:
        """Tell the first shard that all have taken a leased step, see `ParameterShard.end`."""
        self.wait([self._links.ask(0, {"do": "end", "step": step})])

    def squared_norm(self, step: int) -> float:
        """Return the squared length of a step's gradient, once all shares are there."""
        words = {"do": "squared_norm", "step": step, "seconds": self.seconds}
        answers = self.wait(self._kept(step, self._ask(words)))
        return sum(float(each.words["squared_norm"]) for each in answers)

    def scale(self, step: int, factor: float) -> Answers:
        """Have a step taken, see `ParameterShard.scale`."""
        return self._kept(step, self._ask({"do": "scale", "step": step, "factor": factor}))

    def lease(self, trainer: str, steps: range, ended: int | None) -> Lease:
        """Ask the first shard for a step of a pass, see `ParameterShard.lease`."""
        words = {"do": "lease", "trainer": trainer, "steps": [steps.start, steps.stop], "ended": ended}
        words["start"] = self.placement.start
        (answer,) = self.wait([self._links.ask(0, {**words, "seconds": LEASE_SECONDS})])
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
        found = {each: joined([answer.parts[each].value for answer in answers], number_U) for each in answers[0].parts}
        return int(answers[0].words["taken"]), found

    def ranks(self, name: str, asked: Asked) -> Tensor:
        """Rank all rows for states, by their averages; see `models.rows.ranking.ranks`."""
        parts = {
            "state": Part(asked.state_TD, asked.targets.number_T),
            "target": Part(asked.targets.row_TD, asked.targets.number_T),
            "hidden states": Part.asked(asked.hidden.state_H),
            "hidden rows": Part.asked(asked.hidden.row_H),
        }
        words = {"do": "ranks", "name": name}
        answers = self.wait([self._links.ask(each.rank, words, parts) for each in self._shards])
        return torch.stack([each.parts["rank"].value for each in answers]).sum(dim=0)

    def done(self) -> Done:
        """Return what all shards have done."""
        answers = self.wait(self._ask({"do": "done"}))
        return Done.together([Done.model_validate(each.words["done"]) for each in answers])

    def wait(self, answers: Answers) -> list[Message]:
        """Return what the shards have answered, see `Links.wait`."""
        return self._links.wait(answers)

    def close(self) -> None:
        """End all streams."""
        self._links.close()

    def _kept(self, step: int, answers: Answers) -> Answers:
        self._links.keep(step, answers)
        return answers

    def _known(self, rank: int) -> Taken:
        """Return which steps were taken for sure, as a process has to know that comes to stand for a shard.

        Where trainers step together, all that this one has seen taken; else what another shard says, but for this
        trainer's own last steps: it says those again.
        """
        if self.together:
            return Taken(self._links.settled)
        others = (each.rank for each in self._shards if each.rank != rank)
        said = (self._links.try_ask(other, {"do": "taken"}) for other in others)
        found = next((Taken(each.words["taken"], each.words["beyond"]) for each in said if each), Taken())
        kept = self._links.kept
        before = min([found.before, *kept])
        return Taken(before, [step for step in (*range(before, found.before), *found.beyond) if step not in kept])

    def _find(self, words: Words, wanted: Wanted) -> Found:
        answers = self._ask(words, {name: Part.asked(number_U) for name, number_U in wanted.items()})
        return Found(self, answers, wanted)

    def _ask(self, words: Words, parts: Parts | None = None, *, last_first: bool = False) -> Answers:
        """Ask each shard, of each tensor for what the shard has of it; return the answers in the shards' order."""
        asked = [
            self._links.ask(each.rank, words, {name: cut(part, each) for name, part in (parts or {}).items()})
            for each in (reversed(self._shards) if last_first else self._shards)
        ]
        return asked[::-1] if last_first else asked


class Found(NamedTuple):
    """Parameters that are on their way from all shards."""

    server: ParameterServer
    answers: Answers
    wanted: Wanted

    def result(self) -> dict[str, Tensor]:
        """Wait for them, and return them by name, rows in the order in which they were asked for; see `wait`."""
        pieces = [each.parts for each in self.server.wait(self.answers)]
        return {name: joined([each[name].value for each in pieces], number_U) for name, number_U in self.wanted.items()}
