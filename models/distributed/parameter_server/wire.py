"""Messages between trainers and shards: a few words, and tensors; a single one is sent from where it lies.

A message is one Arrow record batch of one row; its words, and the tensors' names and shapes, are JSON in the batch's
metadata. Numbers travel as they are, or rounded to bfloat16, of which Arrow knows no kind: its bits are sent as int16.

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
_TORCH = {pa.int64(): torch.int64, pa.int16(): torch.int16, pa.float32(): torch.float32, pa.float64(): torch.float64}
_SCHEMAS: dict[Numbers, pa.Schema] = {
    numbers: pa.schema(
        [
            pa.field("number", pa.large_list(pa.int64()), nullable=False),
            pa.field("value", pa.large_list(kind), nullable=False),
            pa.field("rounded", pa.large_list(pa.int16()), nullable=False),
        ]
    )
    for numbers, kind in _ARROW.items()
}
Words = Mapping[str, Any]
"""What JSON has."""
Written = tuple[pa.RecordBatch, pa.Buffer]
"""A message as it is sent: a batch, and its metadata."""


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
        number_U: int64; None of layers, and where who asked knows them.
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
    """Return that of a stream's messages, both ways: a column of numbers of rows, and of tensors of either form."""
    return _SCHEMAS[numbers]


def written(message: Message, numbers: Numbers, *, is_rounded: bool = False) -> Written:
    """Return what is sent."""
    parts = message.parts
    told = [
        (name, -1 if number_U is None else len(number_U), value.numel(), 0 if value.ndim == 1 else value.shape[1])
        for name, (value, number_U) in parts.items()
    ]
    kind = torch.bfloat16 if is_rounded else getattr(torch, numbers)
    values = [value.to(kind).flatten() for value, _ in parts.values() if value.numel()]
    lists = [number_U for _, number_U in parts.values() if number_U is not None]
    exact, rounded = ([], [each.view(torch.int16) for each in values]) if is_rounded else (values, [])
    columns = [_column(lists, pa.int64()), _column(exact, _ARROW[numbers]), _column(rounded, pa.int16())]
    metadata = orjson.dumps([message.words, told])
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMAS[numbers]), pa.py_buffer(metadata)


def as_read(batch: pa.RecordBatch, metadata: pa.Buffer, numbers: Numbers) -> Message:
    """Return what was sent.

    Args:
        batch: Of one message; its tensors lie in it, unless they are made longer.
        metadata: Of it.
        numbers: What rounded ones are read as.
    """
    words, told = orjson.loads(memoryview(metadata))
    number, value, rounded = (column.values for column in batch.columns)
    is_rounded = len(rounded) > 0
    value = _tensor(rounded).view(torch.bfloat16).to(getattr(torch, numbers)) if is_rounded else _tensor(value)
    number = _tensor(number)
    parts: dict[str, Part] = {}
    rows_read = values_read = 0
    for name, rows, size, width in told:
        own = value[values_read : values_read + size]
        values_read += size
        number_U = None if rows < 0 else number[rows_read : rows_read + rows]
        rows_read += max(rows, 0)
        shape = (rows, width) if rows >= 0 else (-1, width) if width else (size,)
        parts[name] = Part(own.view(shape), number_U)
    return Message(words, parts)


def _column(tensors: Sequence[Tensor], kind: pa.DataType) -> pa.LargeListArray:
    """Return a column of one list, which lies where the tensor does, if there is only one."""
    if not tensors:
        return _EMPTY[kind]
    whole = tensors[0] if len(tensors) == 1 else torch.cat([*tensors])
    held = whole.contiguous().numpy()
    values = pa.Array.from_buffers(kind, len(held), [None, pa.py_buffer(held)])
    ends = pa.py_buffer(np.array([0, len(held)], np.int64))
    return pa.LargeListArray.from_buffers(pa.large_list(kind), 1, [None, ends], children=[values])


_EMPTY = {kind: pa.array([[]], pa.large_list(kind)) for kind in (pa.int64(), pa.int16(), *_ARROW.values())}


def _tensor(found: pa.Array) -> Tensor:
    if not len(found):
        return torch.empty(0, dtype=_TORCH[found.type])
    tensor: Tensor = torch.from_dlpack(found)  # type: ignore[attr-defined]  # torch documents it
    return tensor
