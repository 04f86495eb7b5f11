"""A trainer's end of a parameter server: one stream to each shard, and what each asks of it in turn.

Shape letters: U rows of a step, D width, P numbers of layers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswerError
from typing import NamedTuple

import torch
from pyarrow import flight
from torch import Tensor

from models.distributed.parameter_server import errors
from models.distributed.parameter_server.declared import Layers, Rows
from models.distributed.parameter_server.errors import LateError, ParameterServerError
from models.distributed.parameter_server.gathered import Push
from models.distributed.parameter_server.service import HEADER, StreamTold
from models.distributed.parameter_server.stores import Wanted
from models.distributed.parameter_server.wire import Message, Part, Parts, Words, as_read, schema, written
from models.rows.shard import Shard

logger = logging.getLogger(__name__)

Answers = Sequence[Future[Message]]
"""Of all shards, in their order; they come while other work is done."""
BEYOND_SECONDS = 5.0
"""How much longer than a shard may take an answer may be on its way."""


class Line:
    """A stream to one shard; a thread of its own asks, one question after another.

    Args:
        endpoint: Host and port of the shard.
        told: What the trainer says.
        token: Of the training.

    Raises:
        ParameterServerError: Nobody listens there, or the token is another one.
    """

    def __init__(self, endpoint: str, told: StreamTold, token: str = "") -> None:
        self.endpoint, self._told = endpoint, told
        self._numbers = getattr(torch, told.numbers)
        self._client = flight.FlightClient(f"grpc://{endpoint}")
        options = flight.FlightCallOptions(headers=[(HEADER.encode(), f"Bearer {token}".encode())])
        descriptor = flight.FlightDescriptor.for_command(told.model_dump_json())
        self._writer, self._reader = self._client.do_exchange(descriptor, options)
        self._thread = ThreadPoolExecutor(1, f"shard {endpoint}")
        self._thread.submit(self._writer.begin, schema(told.travels))

    def ask(self, words: Words, parts: Parts | None = None) -> Future[Message]:
        """Ask once all was answered that was asked before."""
        return self._thread.submit(self._asked, Message(words, parts or {}))

    def close(self) -> None:
        """End the stream once what was asked is answered; at once, if that takes long."""
        try:
            self._thread.submit(self._end).result(BEYOND_SECONDS)
        except NoAnswerError:
            self._reader.cancel()
        self._thread.shutdown(cancel_futures=True)
        self._client.close()

    def _end(self) -> None:
        try:
            self._writer.close()
        except (flight.FlightError, OSError) as error:
            logger.info("shard at %s was gone before its stream was closed: %s", self.endpoint, error)

    def _asked(self, message: Message) -> Message:
        try:
            self._writer.write_with_metadata(*written(message, self._told.travels))
            chunk = self._reader.read_chunk()
        except (flight.FlightError, StopIteration, OSError) as error:
            raise ParameterServerError(f"shard at {self.endpoint}: {type(error).__name__}: {error}") from error
        answer = as_read(chunk.data, chunk.app_metadata, self._told.travels, self._numbers)
        if "error" in answer.words:
            raise getattr(errors, str(answer.words["error"]))(answer.words["said"])
        return answer


class ParameterServer:
    """All shards, for one trainer. Its questions are asked in order; answers are waited for only where they are needed.

    Args:
        endpoints: Of the shards, in their order.
        told: What the trainer says.
        epoch: Of this placement of shards.
        seconds: How long a shard may take for an answer.
        token: Of the training.
    """

    def __init__(
        self, endpoints: Sequence[str], told: StreamTold, *, epoch: int = 0, seconds: float = 60.0, token: str = ""
    ) -> None:
        self.epoch, self.seconds = epoch, seconds
        self._lines = [Line(endpoint, told, token) for endpoint in endpoints]
        self._shards = [Shard(rank, len(endpoints)) for rank in range(len(endpoints))]

    def declare(self, rows: Sequence[Rows] = (), layers: Sequence[Layers] = ()) -> None:
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

    def wait(self, answers: Answers) -> list[Message]:
        """Return what the shards have answered.

        Raises:
            LateError: One does not answer.
            ParameterServerError: One could not do it, or is gone.
        """
        try:
            return [each.result(self.seconds + BEYOND_SECONDS) for each in answers]
        except NoAnswerError:
            silent = [line.endpoint for line, each in zip(self._lines, answers, strict=True) if not each.done()]
            raise LateError(f"no answer in {self.seconds + BEYOND_SECONDS:g} s from {', '.join(silent)}.") from None

    def close(self) -> None:
        """End all streams."""
        for line in self._lines:
            line.close()

    def _find(self, words: Words, wanted: Wanted) -> Found:
        answers = self._ask(words, {name: Part.asked(number_U) for name, number_U in wanted.items()})
        return Found(self, answers, wanted, self._shards)

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
    shards: Sequence[Shard]

    def result(self) -> dict[str, Tensor]:
        """Wait for them, and return them by name, rows in the order in which they were asked for; see `wait`."""
        pieces = [each.parts for each in self.server.wait(self.answers)]
        return {name: self._joined([each[name].value for each in pieces], self.wanted[name]) for name in self.wanted}

    def _joined(self, pieces: Sequence[Tensor], number_U: Tensor | None) -> Tensor:
        if len(pieces) == 1:
            return pieces[0]
        if number_U is None:
            return torch.cat([*pieces])
        row_UD = pieces[0].new_empty(len(number_U), pieces[0].shape[1])
        for piece_UD, shard in zip(pieces, self.shards, strict=True):
            row_UD[is_own(number_U, shard)] = piece_UD
        return row_UD


def is_own(number_U: Tensor, shard: Shard) -> Tensor:
    """Say which rows a shard has."""
    return number_U % shard.world == shard.rank


def _cut(part: Part, shard: Shard) -> Part:
    """Return what a shard has of a tensor."""
    if shard.world == 1:
        return part
    if part.number_U is None:
        own = shard.own(len(part.value))
        return Part(part.value[own.start : own.stop])
    is_own_U = is_own(part.number_U, shard)
    return Part(part.value[is_own_U], part.number_U[is_own_U])
