"""Messages between trainers and shards: a few words, and tensors; a single one is sent from where it lies.

A message is one Arrow record batch, a row for each tensor; its words are JSON in the batch's metadata. Numbers travel
as they are, or rounded to bfloat16, of which Arrow knows no kind: its bits are sent as int16.

Source: Arrow Flight, https://arrow.apache.org/docs/format/Flight.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import torch
from pydantic import Field
from torch import Tensor

from data_contracts.night import Value
from models.distributed.parameter_server.declared import Numbers

HEADER, PING = "authorization", "ping"
"""Of a call, with the training's token; what asks whether a shard is there."""
ROUNDED = {"pull", "push"}
"""What is asked of a shard for a step: numbers may be rounded on their way. All else is kept, or judged."""
_ARROW: dict[Numbers, pa.DataType] = {"float32": pa.float32(), "float64": pa.float64()}
Words = Mapping[str, Any]
"""What JSON has."""


class StreamTold(Value):
    """What is said when a stream is opened."""

    trainer: str = Field(description="For people.")
    numbers: Numbers = Field(description="Of all tensors.")
    rounds: bool = Field(False, description="Whether numbers of a step travel as bfloat16.")

    def is_rounded(self, do: str) -> bool:
        """Whether numbers are that belong to a question of this name."""
        return self.rounds and do in ROUNDED


class Part(NamedTuple):
    """One tensor of a message.

    Attributes:
        value: (U, D), or (P,) of layers; nothing, where rows are asked for.
        number_U: int64; None of layers.
    """

    value: Tensor
    number_U: Tensor | None = None

    @classmethod
    def asked(cls, number_U: Tensor | None) -> Self:
        """Return what asks for these rows, or for layers."""
        return cls(torch.empty(0) if number_U is None else torch.empty(len(number_U), 0), number_U)


Parts = Mapping[str, Part]


class Message(NamedTuple):
    """What is asked or answered."""

    words: Words
    parts: Parts

    @property
    def bytes(self) -> int:
        """Return how many its tensors take."""
        tensors = (tensor for part in self.parts.values() for tensor in part if tensor is not None)
        return sum(each.nbytes for each in tensors)


def schema(numbers: Numbers) -> pa.Schema:
    """Return that of a stream's messages, both ways."""
    return pa.schema(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("number", pa.large_list(pa.int64())),
            pa.field("value", pa.large_list(_ARROW[numbers])),
            pa.field("rounded", pa.large_list(pa.int16())),
        ]
    )


def written(message: Message, numbers: Numbers, *, is_rounded: bool = False) -> tuple[pa.RecordBatch, pa.Buffer]:
    """Return what is sent: a batch, and its metadata."""
    parts = message.parts.values()
    values = [each.value.to(torch.bfloat16 if is_rounded else getattr(torch, numbers)).flatten() for each in parts]
    widths = [0 if each.number_U is None else each.value.shape[1] for each in parts]
    nothing = [None for _ in values]
    columns = [
        pa.array(list(message.parts), pa.string()),
        pa.array(widths, pa.int32()),
        _lists([each.number_U for each in parts], pa.int64()),
        _lists(nothing if is_rounded else values, _ARROW[numbers]),
        _lists([each.view(torch.int16) for each in values] if is_rounded else nothing, pa.int16()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema(numbers)), pa.py_buffer(orjson.dumps(message.words))


def as_read(batch: pa.RecordBatch, metadata: pa.Buffer, numbers: Numbers) -> Message:
    """Return what was sent.

    Args:
        batch: Of one message; its tensors lie in it, unless they are made longer.
        metadata: Of it.
        numbers: What rounded ones are read as.
    """
    parts: dict[str, Part] = {}
    columns = (batch[name] for name in ("number", "value", "rounded"))
    names, widths = batch["name"].to_pylist(), batch["width"].to_pylist()
    for name, width, number, exact, rounded in zip(names, widths, *columns, strict=True):
        value = _tensor(exact) if exact.is_valid else _exact(_tensor(rounded), numbers)
        number_U = _tensor(number) if number.is_valid else None
        parts[name] = Part(value if number_U is None else value.view(len(number_U), width), number_U)
    return Message(orjson.loads(memoryview(metadata)), parts)


def _lists(tensors: Sequence[Tensor | None], kind: pa.DataType) -> pa.LargeListArray:
    there = [each for each in tensors if each is not None]
    if not there:
        return pa.nulls(len(tensors), pa.large_list(kind))
    whole = there[0] if len(there) == 1 else torch.cat(there)
    ends = np.cumsum([0, *(0 if each is None else len(each) for each in tensors)], dtype=np.int64)
    values = pa.Array.from_buffers(kind, int(ends[-1]), [None, pa.py_buffer(whole.contiguous().numpy())])
    nulls = pa.array([each is None for each in tensors], pa.bool_())
    return pa.LargeListArray.from_arrays(pa.array(ends), values, mask=nulls)


def _exact(bits: Tensor, numbers: Numbers) -> Tensor:
    return bits.view(torch.bfloat16).to(getattr(torch, numbers))


def _tensor(found: pa.LargeListScalar) -> Tensor:
    tensor: Tensor = torch.from_dlpack(found.values)  # type: ignore[attr-defined]  # torch documents it
    return tensor
