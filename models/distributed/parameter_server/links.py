"""A trainer's streams to all shards, whichever process stands for each: when one is gone, another is asked again.

What a trainer has sent for its last steps is kept: a process that comes to stand for a shard is told it again. One that
held the same as the one before knows it already. One that was restored from a snapshot is told which steps were taken,
and counts as lost what it has not learned from; of the step that trainers are at it learns now.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from models.distributed.parameter_server.errors import GoneError, OtherEpochError, ParameterServerError
from models.distributed.parameter_server.line import Line, Question
from models.distributed.parameter_server.placement import WAIT, Directory, Placement, pause
from models.distributed.parameter_server.wire import Message, Parts, StreamTold, Words

STEPS_KEPT = 2
"""Trainers that step together are one step apart at most."""

logger = logging.getLogger(__name__)


class Taken(NamedTuple):
    """Steps that were taken: all ``before`` this one, and those ``beyond``."""

    before: int = 0
    beyond: Sequence[int] = ()


class Asked(NamedTuple):
    """A question, and the shard that it is for."""

    rank: int
    question: Question


Answers = Sequence[Asked]
"""Of all shards, in their order; they come while other work is done."""


class Links:
    """Streams to all shards; not safe for threads.

    Args:
        directory: Where the shard map is.
        placement: The map, as this trainer starts.
        told: What the trainer says.
        seconds: How long a shard may take for an answer.
        token: Of the training.
    """

    def __init__(
        self, directory: Directory, placement: Placement, told: StreamTold, *, seconds: float, token: str
    ) -> None:
        self.placement, self.seconds = placement, seconds
        self.known: Callable[[int], Taken] = lambda _: Taken()
        self._directory, self._told, self._token = directory, told, token
        self._kept: deque[tuple[int, list[Asked]]] = deque()
        self._lines: list[Line | None] = [None for _ in placement.shards]

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def kept(self) -> list[int]:
        """Return the steps that are told again."""
        return [step for step, _ in self._kept]

    @property
    def settled(self) -> int:
        """Return the first step that this trainer has not seen taken by all shards."""
        first = self._kept[0][0] if self._kept else 0
        scaled = (
            (step, [each.question for each in answers if each.question.words["do"] == "scale"])
            for step, answers in self._kept
        )
        return max([first, *(step + 1 for step, said in scaled if said and all(each.answer for each in said))])

    def begin(self, placement: Placement) -> None:
        """Go on under a new map, in which shards begin anew: nothing of before is told again."""
        self.placement = placement
        self._kept.clear()

    def ask(self, rank: int, words: Words, parts: Parts | None = None) -> Asked:
        """Ask a shard; whoever waits for the answer hears what went wrong."""
        asked = Asked(rank, Question(words, parts or {}))
        line = self._lines[rank]
        if line is None or line.endpoint != self.placement.shards[rank][0]:
            self._find_again(rank, [asked])
        else:
            line.ask(asked.question, self.placement.epoch)
        return asked

    def keep(self, step: int, answers: Answers) -> None:
        """Have what was sent for a step told again to a process that comes to stand for a shard."""
        if self._kept and self._kept[-1][0] == step:
            self._kept[-1][1].extend(answers)
            return
        self._kept.append((step, list(answers)))
        if len(self._kept) > STEPS_KEPT:
            self._kept.popleft()

    def wait(self, answers: Answers) -> list[Message]:
        """Return what the shards have answered.

        Raises:
            LateError: One does not answer.
            ParameterServerError: One could not do it, or is gone, and nobody stands for it.
        """
        return [self._wait(*each) for each in answers]

    def _wait(self, rank: int, question: Question) -> Message:
        while True:
            line = self._lines[rank]
            assert line is not None, "a line is there from the first question on"
            try:
                line.wait(question)
            except GoneError as error:
                self._find_again(rank, [], error)
                continue
            if question.answer is not None:
                return question.answer
            assert question.error is not None
            if not isinstance(question.error, OtherEpochError) or not self._moves(question.epoch):
                raise question.error
            question.renew()
            self._again(rank, question)

    def _again(self, rank: int, question: Question) -> None:
        """Ask again what was refused as of an older map, and so was all that was told again under it."""
        line = self._lines[rank]
        if line is None or line.endpoint != self.placement.shards[rank][0]:
            self._find_again(rank, [Asked(rank, question)])
            return
        for each in [*self._told_again(rank), question]:
            line.ask(each, self.placement.epoch)

    def _moves(self, epoch: int) -> bool:
        """Take over the shard map, if it is newer than a message that was refused."""
        now = self._directory.now()
        if now is None or now.epoch <= epoch or now.start != self.placement.start:
            return False
        self.placement = now
        return True

    def _find_again(self, rank: int, further: Sequence[Asked], why: Exception | None = None) -> None:
        """Have a line to whoever stands for a shard now, and ask what is not answered."""
        before, began = self._lines[rank], time.monotonic()
        waiting = [] if before is None else list(before.unanswered)
        if before is not None:
            before.close()
        gone = before.endpoint if before else None
        while True:
            now = self._directory.without(rank, gone) if gone else self._directory.now()
            if now is None or now.start != self.placement.start:
                raise OtherEpochError(f"trainers have started anew, after placement {self.placement.epoch}.") from why
            self.placement, gone = now, now.shards[rank][0]
            try:
                self._open(rank, waiting, further)
            except GoneError as error:
                if time.monotonic() - began > WAIT.total_seconds():
                    raise
                why = why or error
                pause()
                continue
            if why is not None:
                seconds = time.monotonic() - began
                logger.warning("shard %s was gone (%s); %s stands for it after %.2f s", rank, why, gone, seconds)
            return

    def _open(self, rank: int, waiting: Sequence[Question], further: Sequence[Asked]) -> None:
        again = self._told_again(rank)
        line = Line(self.placement.shards[rank][0], self._told, seconds=self.seconds, token=self._token)
        self._lines[rank] = line
        pending = dict.fromkeys([*waiting, *(each.question for each in further)])
        for each in [*again, *pending]:
            line.ask(each, self.placement.epoch)
        if again:
            line.wait(again[0])
            lost = again[0].answer.words["lost"] if again[0].answer else 0
            if lost:
                logger.warning("shard %s was restored from its snapshot, and has not learned from %s steps", rank, lost)

    def _told_again(self, rank: int) -> list[Question]:
        """Return what a shard is told again: first of all which steps were taken, and how long their gradients were."""
        kept = [(step, each.question) for step, answers in self._kept for each in answers if each.rank == rank]
        if not kept:
            return []
        known = self.known(rank)
        norms = {
            str(step): question.answer.words["squared_norm"]
            for step, question in kept
            if question.answer and "squared_norm" in question.answer.words
        }
        going_on = {"do": "go_on", "taken": known.before, "beyond": list(known.beyond), "norms": norms}
        again = (each for step, each in kept if each.is_answered and step >= known.before and step not in known.beyond)
        return [Question(going_on, {}), *(Question(each.words, each.parts) for each in again)]

    def try_ask(self, rank: int, words: Words) -> Message | None:
        """Return a shard's answer; None, where it is gone: nobody looks for another."""
        line, question = self._lines[rank], Question(words, {})
        if line is None:
            return None
        try:
            line.ask(question, self.placement.epoch)
            line.wait(question)
        except ParameterServerError:
            return None
        return question.answer

    def close(self) -> None:
        """End all streams."""
        for line in self._lines:
            if line is not None:
                line.close()
        self._lines = [None for _ in self._lines]
