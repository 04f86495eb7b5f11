"""A process that holds what a shard's first process holds, and stands for the shard once that is gone.

What changes a shard is sent on in the order in which it is done, and acknowledged once both have done it: the same
messages in the same order make the same state, so nothing that was acknowledged is lost with the first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from threading import Event, Lock, RLock

from models.distributed.parameter_server.declared import Layers, Numbers, Table
from models.distributed.parameter_server.errors import GoneError, LateError, OtherEpochError
from models.distributed.parameter_server.gathered import as_message
from models.distributed.parameter_server.line import Line, Question
from models.distributed.parameter_server.placement import Directory, Placement
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.state import State
from models.distributed.parameter_server.wire import Message, Part, StreamTold
from models.rows.rules import ROWS_AT_ONCE

logger = logging.getLogger(__name__)


class Follower:
    """What a process of a shard knows of its part, and, if it is the first one, of the other process.

    Args:
        rank: Of the shard.
        endpoint: Of this process.
        directory: Where the shard map is.
        token: Of the training.
        shard: Returns the shard as it is now: one that begins is another one.
    """

    def __init__(
        self, rank: int, endpoint: str, directory: Directory, token: str, shard: Callable[[], ParameterShard]
    ) -> None:
        self.rank, self.endpoint, self.directory, self.token = rank, endpoint, directory, token
        self.deposed, self.has_a_part = Event(), False
        self._shard = shard
        self._line: Line | None = None
        self._is_second = False
        self._order, self._placing = Lock(), RLock()

    def change(self, asked: Message, do: Callable[[], Message], numbers: Numbers) -> Message:
        """Do what changes a shard here and there; return its answer once both have done it.

        Args:
            asked: What is done.
            do: Does it here.
            numbers: Of its tensors.

        Raises:
            OtherEpochError: It is of another placement of shards, or another process stands for the shard by now.
        """
        question = Question({name: value for name, value in asked.words.items() if name != "epoch"}, asked.parts)
        with self._order:
            shard = self._shard()
            shard.check_epoch(int(asked.words["epoch"]))  # else one of both might do it alone
            if asked.words["do"] == "begin":
                self._meet(numbers)
            if (line := self._line) is not None:
                line.ask(question, shard.epoch)
            answer = do()
        if line is not None:
            self._hear(line, question, answer)
        return answer

    def _hear(self, line: Line, question: Question, answer: Message) -> None:
        """See that the other process has done the same, or holds the shard no more."""
        try:
            line.wait(question)
        except (GoneError, LateError) as error:
            self._leave(line, error)
        if isinstance(question.error, OtherEpochError):  # it knows a newer map
            self.place()
            raise question.error
        if question.error is not None and "error" not in answer.words:  # no room, say
            self._leave(line, question.error)
        if self.deposed.is_set():
            raise OtherEpochError(f"shard {self.rank}: other processes stand for it.")

    def place(self) -> None:
        """Take the part that the shard map has for this process; once it had one and has none, it is `deposed`.

        Raises:
            GoneError: The map cannot be read.
        """
        with self._placing:
            now, shard = self.directory.now(), self._shard()
            if now is None or now.epoch <= shard.epoch:
                return
            first, *others = now.shards[self.rank]
            if self.has_a_part and self.endpoint not in now.shards[self.rank]:
                shard.give_up("other processes stand for it")
                self.deposed.set()
            if first == self.endpoint and self._is_second:
                shard.count("takeovers")
            self.has_a_part, self._is_second = self.endpoint in now.shards[self.rank], self.endpoint in others
            wanted = others[0] if others and first == self.endpoint else None
            if self._line is not None and self._line.endpoint != wanted:
                self._close()
            shard.move_to(now.epoch)

    @property
    def is_first(self) -> bool:
        """Whether this process answers trainers."""
        now = self.directory.now()
        return now is not None and now.shards[self.rank][0] == self.endpoint

    def _meet(self, numbers: Numbers) -> None:
        """Open a stream to the other process, as a training begins; go on without it, if it is not there."""
        with self._placing:
            self._close()
            now = self.directory.now()
            assert now is not None, "a training has begun"
            first, *others = now.shards[self.rank]
            if first == self.endpoint and others:
                try:
                    self._line = self._opened(others[0], numbers)
                except GoneError as error:
                    self._do_without(others[0], error)

    def add(self, endpoint: str) -> None:
        """Have a new process hold what this one does; changes wait meanwhile.

        Raises:
            OtherEpochError: Another process stands for the shard by now.
            GoneError: The new one is not there any more.
        """
        with self._order, self._placing:
            self.place()
            shard = self._shard()
            state = shard.state()
            line = self._opened(endpoint, next((each.numbers for each in state.told.values()), "float32"))
            try:
                self._retell(line, state, shard)
                after = self._having(endpoint)
            except BaseException:
                line.close()
                raise
            self._close()
            self._line = line
            shard.move_to(after.epoch)
            logger.warning("shard %s: %s holds it, too, from now on", self.rank, endpoint)

    def _having(self, endpoint: str) -> Placement:
        while True:
            now = self.directory.now()
            if now is None or now.shards[self.rank][0] != self.endpoint:
                raise OtherEpochError(f"shard {self.rank}: {self.endpoint} is not its first process, see {now}.")
            after = now.having(self.rank, (self.endpoint, endpoint))
            if self.directory.change(now, after) == after:
                return after

    @staticmethod
    def _retell(line: Line, state: State, shard: ParameterShard) -> None:
        for message in retold(state, shard):
            question = Question(message.words, message.parts)
            line.ask(question, shard.epoch)
            line.wait(question)
            if question.error is not None:
                raise question.error

    def _leave(self, line: Line, error: Exception) -> None:
        """Go on alone, unless the other one stands for the shard meanwhile."""
        with self._placing:
            if self._line is line:
                self._close()
                self._do_without(line.endpoint, error)

    def _do_without(self, endpoint: str, error: Exception) -> None:
        now = self.directory.now()
        while now is not None and now.shards[self.rank] == (self.endpoint, endpoint):
            now = self.directory.change(now, now.having(self.rank, (self.endpoint,)))
        self.place()
        logger.warning("shard %s: %s does not hold it any more: %s", self.rank, endpoint, error)

    def _opened(self, endpoint: str, numbers: Numbers) -> Line:
        told = StreamTold(trainer=f"shard {self.rank} at {self.endpoint}", numbers=numbers)
        return Line(endpoint, told, token=self.token)

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def retold(state: State, shard: ParameterShard) -> Iterator[Message]:
    """Yield what a new process has to hear to hold what a shard does, but for counts of rows too rare to be held."""
    now = state.rules.model_copy(update={"taken": state.taken, "beyond": state.beyond})
    yield Message({"do": "begin", "rules": now.model_dump()}, {})
    tables = [each for each in state.told.values() if isinstance(each, Table)]
    layers = [each for each in state.told.values() if isinstance(each, Layers)]
    held = {"rows": [each.model_dump() for each in tables], "layers": [each.model_dump() for each in layers]}
    yield Message({"do": "declare", **held}, {})
    for each in tables:
        tensors = dict(state.tensors[each.name])
        number_C = tensors.pop("number")
        for start in range(0, len(number_C), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            rows = {name: Part(value[some], number_C[some]) for name, value in tensors.items()}
            yield Message({"do": "put", "name": each.name}, rows)
    for vector in layers:
        pieces = {name: Part(value) for name, value in state.tensors[vector.name].items() if value.ndim}
        yield Message({"do": "put_layers", "name": vector.name, "steps": state.steps}, pieces)
    unfinished = shard.unfinished
    for push in unfinished.pushes:
        yield as_message(push)
    beside = {"norms": unfinished.norms, "counts": unfinished.counts, "is_restored": unfinished.is_restored}
    yield Message({"do": "be_like", **beside}, {})
