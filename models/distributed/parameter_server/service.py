"""A shard's process behind a socket: Arrow Flight, one stream of questions and answers for each trainer.

A stream's questions are answered one after another. What cannot be done is answered in words, and the stream goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pyarrow import flight

from models.distributed.parameter_server.declared import Layers, Numbers, Rules, Table
from models.distributed.parameter_server.errors import NoRoomError, OtherEpochError, ParameterServerError, RefusedError
from models.distributed.parameter_server.followers import Follower
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import HEADER, Message, Part, Parts, StreamTold, as_read, schema, written
from models.memory import is_out_of_memory
from models.rows.ranking import Hidden, Targets

ADVICE = "Raise train.parallelism.server.shards, or give the hosts more memory."
CHANGES = {"begin", "declare", "put", "put_layers", "push", "scale", "go_on", "norms"}
"""What both processes of a shard do."""

logger = logging.getLogger(__name__)


class ShardService(flight.FlightServerBase):  # type: ignore[misc]  # Arrow has no types
    """Serves a shard, a new one in every training that begins.

    Args:
        host: Address to listen on; any free port is taken.
        rank: Of the shard.
        directory: Where the shard map is.
        token: That callers have to know; anybody may call when it is empty.
    """

    def __init__(self, host: str, rank: int, directory: Directory, token: str = "") -> None:
        self.shard = ParameterShard(Rules(epoch=0, rank=rank))
        super().__init__(flight.Location.for_grpc_tcp(host, 0), middleware={"guard": _Guard(token)})
        self.endpoint = f"{host}:{self.port}"
        self.follower = Follower(rank, self.endpoint, directory, token)

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:  # noqa: ARG002
        """Say that this process is there."""
        return []

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Answer a trainer's questions until it goes."""
        told = StreamTold.model_validate_json(descriptor.command)
        logger.info("%s is served, from %s", told.trainer, context.peer())
        writer.begin(schema(told.numbers))
        for chunk in reader:
            asked = as_read(chunk.data, chunk.app_metadata, told.numbers)
            answer = self._answered(asked, told.numbers)
            self.shard.count("bytes_moved", asked.bytes + answer.bytes)
            is_rounded = told.is_rounded(asked.words["do"])
            writer.write_with_metadata(*written(answer, told.numbers, is_rounded=is_rounded))

    def _answered(self, asked: Message, numbers: Numbers) -> Message:
        try:
            if asked.words["epoch"] > self.shard.epoch:
                self.follower.place(self.shard)
            if asked.words["do"] not in CHANGES:
                return self._answer(asked)
            if asked.words["do"] == "begin":
                self.follower.meet(numbers)
            return self.follower.change(asked, lambda: self._answer(asked), self.shard)
        except ParameterServerError as error:
            return _cannot(error)

    def _answer(self, asked: Message) -> Message:
        words = dict(asked.words)
        do = words.pop("do")
        try:
            if do == "begin":
                return self._begin(Rules.model_validate(words["rules"]), int(words["epoch"]))
            if do == "follow":
                self.follower.add(words["endpoint"], self.shard)
                return Message({}, {})
            return _ANSWERS[do](self.shard, words, asked.parts)
        except ParameterServerError as error:
            return _cannot(error)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            return _cannot(RefusedError(f"{do!r} was not understood: {type(error).__name__}: {error}"))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return _cannot(NoRoomError(f"shard {self.shard.shard.rank} has no room: {error}. {ADVICE}"))

    def _begin(self, rules: Rules, epoch: int) -> Message:
        """Forget what was, and hold what this training declares from now on; again is the same as once."""
        if rules != self.shard.rules:
            if epoch < self.shard.epoch or rules.epoch <= self.shard.rules.epoch:
                raise OtherEpochError(f"this shard is of placement {self.shard.epoch}, and told of {rules.epoch}.")
            self.shard.move_to(epoch)
            self.shard = ParameterShard(rules)
            self.shard.move_to(epoch)
        return Message({}, {})


def _cannot(error: ParameterServerError) -> Message:
    logger.warning("%s: %s", type(error).__name__, error)
    return Message({"error": type(error).__name__, "said": str(error)}, {})


def _pull(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    return _found(shard.pull(wanted={name: each.number_U for name, each in parts.items()}, **words))


def _read(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    return _found(shard.read(wanted={name: each.number_U for name, each in parts.items()}, **words))


def _found(found: Mapping[str, torch.Tensor]) -> Message:
    return Message({}, {name: Part(value) for name, value in found.items()})


def _push(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    rates = words["rates"]
    gradients = {name: Gradient(*part, rate=rates[name]) for name, part in parts.items()}
    shard.push(Push(words["step"], words["share"], gradients, words["factor"]), epoch=words["epoch"])
    return Message({}, {})


def _squared_norm(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    return Message({"squared_norm": shard.squared_norm(**words)}, {})


def _scale(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    shard.scale(**words)
    return Message({}, {})


def _declare(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    for kind, told in ((Table, words["rows"]), (Layers, words["layers"])):
        for each in told:
            shard.declare(kind.model_validate(each), epoch=words["epoch"])
    return Message({}, {})


def _put(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    number_U = next(iter(parts.values())).number_U
    assert number_U is not None
    tensors = {"number": number_U, **{name: each.value for name, each in parts.items()}}
    shard.put(words["name"], tensors, epoch=words["epoch"])
    return Message({}, {})


def _lease(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    told = dict(words)
    return Message(shard.lease(steps=range(*told.pop("steps")), **told)._asdict(), {})


def _put_layers(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    tensors = {name: each.value for name, each in parts.items()}
    shard.put_layers(words["name"], tensors, words["steps"], epoch=words["epoch"])
    return Message({}, {})


def _layers(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    taken, found = shard.layers(words["name"], epoch=words["epoch"])
    return Message({"taken": taken}, {name: Part(value) for name, value in found.items()})


def _state_of(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    ((name, (_, number_U)),) = parts.items()
    assert number_U is not None
    taken, found = shard.state_of(name, number_U, **words)
    return Message({"taken": taken}, {each: Part(value, number_U) for each, value in found.items()})


def _ranks(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:
    (state_TD, number_T), row_TD = parts["state"], parts["target"].value
    state_H, row_H = parts["hidden states"].number_U, parts["hidden rows"].number_U
    assert number_T is not None
    assert state_H is not None
    assert row_H is not None
    rank_T = shard.ranks(
        words["name"], state_TD, Targets(number_T, row_TD), Hidden(state_H, row_H), epoch=words["epoch"]
    )
    return Message({}, {"rank": Part(rank_T)})


def _taken(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    taken, beyond = shard.taken(**words)
    return Message({"taken": taken, "beyond": beyond, "origin": shard.rules.epoch}, {})


def _go_on(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    return Message({"lost": shard.go_on(**words)}, {})


def _norms(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    shard.remember_norms({int(step): float(value) for step, value in words["of"].items()})
    return Message({}, {})


def _done(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    return Message({"done": shard.done().model_dump(mode="json")}, {})


_ANSWERS: Mapping[str, Callable[[ParameterShard, Mapping[str, Any], Parts], Message]] = {
    "declare": _declare,
    "pull": _pull,
    "read": _read,
    "push": _push,
    "squared_norm": _squared_norm,
    "scale": _scale,
    "lease": _lease,
    "put": _put,
    "put_layers": _put_layers,
    "layers": _layers,
    "state_of": _state_of,
    "ranks": _ranks,
    "taken": _taken,
    "go_on": _go_on,
    "norms": _norms,
    "done": _done,
}


class _Guard(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Lets in who knows the token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._wanted = [f"Bearer {token}"] if token else None

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, list[str]]) -> None:
        """Refuse a call without it."""
        if self._wanted is not None and headers.get(HEADER) != self._wanted:
            logger.warning("a call (%s) was refused: its token is not the training's", info.method)
            raise flight.FlightUnauthenticatedError("the token is not that of this training")
