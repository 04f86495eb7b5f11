"""Messages between trainers and shards: a few words, and tensors; a single one is sent from where it lies.

A message is one Arrow record batch, a row for each tensor; its words are JSON in the batch's metadata. Numbers travel
as the stream's schema says: as they are, or as bfloat16, of which Arrow knows no kind: its bits are sent as int16.

Source: Arrow Flight, https://arrow.apache.org/docs/format/Flight.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import orjson
import pyarrow as pa
import torch
from torch import Tensor

Travels = Literal["float32", "float64", "bfloat16"]
"""Kind of numbers in a stream."""

_ARROW: dict[Travels, pa.DataType] = {"float32": pa.float32(), "float64": pa.float64(), "bfloat16": pa.int16()}
Words = Mapping[str, Any]
"""What JSON has."""


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


def schema(travels: Travels) -> pa.Schema:
    """Return that of a stream's messages, both ways."""
    return pa.schema(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("number", pa.large_list(pa.int64())),
            pa.field("value", pa.large_list(_ARROW[travels]), nullable=False),
        ]
    )


def written(message: Message, travels: Travels) -> tuple[pa.RecordBatch, pa.Buffer]:
    """Return what is sent: a batch, and its metadata."""
    parts = message.parts.values()
    values = [each.value.to(getattr(torch, travels)).flatten() for each in parts]
    widths = [0 if each.number_U is None else each.value.shape[1] for each in parts]
    columns = [
        pa.array(list(message.parts), pa.string()),
        pa.array(widths, pa.int32()),
        _lists([each.number_U for each in parts], pa.int64()),
        _lists([each.view(torch.int16) if travels == "bfloat16" else each for each in values], _ARROW[travels]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema(travels)), pa.py_buffer(orjson.dumps(message.words))


def as_read(batch: pa.RecordBatch, metadata: pa.Buffer, travels: Travels, numbers: torch.dtype) -> Message:
    """Return what was sent.

    Args:
        batch: Of one message; its tensors lie in it, unless they are made longer.
        metadata: Of it.
        travels: The stream's.
        numbers: What floats are read as.
    """
    parts: dict[str, Part] = {}
    names, widths = batch["name"].to_pylist(), batch["width"].to_pylist()
    for name, width, number, found in zip(names, widths, batch["number"], batch["value"], strict=True):
        value = _tensor(found)
        value = (value.view(torch.bfloat16) if travels == "bfloat16" else value).to(numbers)
        number_U = _tensor(number) if number.is_valid else None
        parts[name] = Part(value if number_U is None else value.view(len(number_U), width), number_U)
    return Message(orjson.loads(memoryview(metadata)), parts)


def _lists(tensors: Sequence[Tensor | None], kind: pa.DataType) -> pa.LargeListArray:
    there = [each for each in tensors if each is not None]
    whole = there[0] if len(there) == 1 else torch.cat(there) if there else torch.empty(0)
    ends = np.cumsum([0, *(0 if each is None else len(each) for each in tensors)], dtype=np.int64)
    values = pa.Array.from_buffers(kind, int(ends[-1]), [None, pa.py_buffer(whole.contiguous().numpy())])
    nulls = pa.array([each is None for each in tensors], pa.bool_())
    return pa.LargeListArray.from_arrays(pa.array(ends), values, mask=nulls)


def _tensor(found: pa.LargeListScalar) -> Tensor:
    tensor: Tensor = torch.from_dlpack(found.values)  # type: ignore[attr-defined]  # torch documents it
    return tensor
