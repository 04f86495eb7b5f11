"""What a shard answers to each question: the words and tensors of a message, and the rule that they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from models.distributed.parameter_server.declared import Layers, Table
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import Message, Part, Parts
from models.rows.ranking import Hidden, Targets


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
    learned = taken + len(beyond) - shard.rules.taken - len(shard.rules.beyond)
    return Message({"taken": taken, "beyond": beyond, "learned": learned, "origin": shard.rules.epoch}, {})


def _go_on(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    return Message({"lost": shard.go_on(**words)}, {})


def _end(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    shard.end(**words)
    return Message({}, {})


def _be_like(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    shard.be_like(**words)
    return Message({}, {})


def _done(shard: ParameterShard, words: Mapping[str, Any], parts: Parts) -> Message:  # noqa: ARG001
    return Message({"done": shard.done().model_dump(mode="json")}, {})


ANSWERS: Mapping[str, Callable[[ParameterShard, Mapping[str, Any], Parts], Message]] = {
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
    "end": _end,
    "be_like": _be_like,
    "done": _done,
}
