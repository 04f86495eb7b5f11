"""Tensors of the Open Inference Protocol v2 ⇄ rows of Arrow, derived from a predictor's two schemas.

====================  ============================  ======================================================
column                tensor                        shape, n requests
====================  ============================  ======================================================
string                BYTES, UTF-8                  ``[n]``
binary                BYTES                         ``[n]``, or ``[1]`` for every request
list<string>          BYTES, UTF-8                  ``[n, m]`` padded with empty strings; ``[m]`` is one request
int32                 INT32 or INT64                ``[n]``, or ``[1]`` for every request
float                 FP32 or FP64                  ``[n]``, or ``[1]`` for every request
list<float>           FP32                          ``[n, m]``; answers are padded with 0 where their text is padded
====================  ============================  ======================================================

An input that is left out is null in every row.

Bytes of a column of bytes are sent as they are, by gRPC and by REST's binary extension. In REST's JSON an element of
BYTES is text, so there they are base64, which MLServer calls `content_type: base64`; that parameter need not be sent.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Values = npt.NDArray[Any]

_PLAIN: dict[str, type | tuple[type, ...]] = {
    "BYTES": (str, bytes),
    "INT32": int,
    "INT64": int,
    "FP32": (int, float),
    "FP64": (int, float),
}
"""Datatype to what its elements are in JSON."""
_WIDER = {"INT32": "INT64", "FP32": "FP64"}
"""Datatype to the one that is taken as well."""


class TensorError(ValueError):
    """A request's tensors are not what the schema wants; the caller's mistake."""


class Input(Protocol):
    """A tensor as it came, not decoded yet; KServe's `InferInput` is one."""

    @property
    def name(self) -> str:
        """Of the column."""
        ...

    @property
    def datatype(self) -> str:
        """By the protocol's name."""
        ...

    @property
    def shape(self) -> list[int]:
        """As the client says."""
        ...

    @property
    def data(self) -> object:
        """Values as JSON had them; what came as bytes is in `as_numpy` alone."""
        ...

    def as_numpy(self) -> Values:
        """Decode it."""
        ...


class Output(NamedTuple):
    """A tensor to send."""

    name: str
    datatype: str
    values: Values


def metadata(schema: pa.Schema) -> list[dict[str, Any]]:
    """Describe a schema's columns as the protocol describes tensors; -1 is a length that varies."""
    return [
        {
            "name": field.name,
            "datatype": _datatype(_element(field.type)),
            "shape": [-1, -1] if pa.types.is_list(field.type) else [-1],
        }
        for field in schema
    ]


def asking(request: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return the body by which one request is asked as JSON; null columns are left out."""
    given = {field: request[field.name] for field in schema if request.get(field.name) is not None}
    return {
        "inputs": [
            {
                "name": field.name,
                "shape": [1, len(value)] if pa.types.is_list(field.type) else [1],
                "datatype": _datatype(_element(field.type)),
                "data": value if pa.types.is_list(field.type) else [_in_json(value)],
            }
            for field, value in given.items()
        ]
    }


def _in_json(value: object) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def to_rows(inputs: Sequence[Input], schema: pa.Schema, *, max_batch: int) -> pa.Table:
    """Turn a request's tensors into rows of ``schema``.

    Raises:
        TensorError: Inputs are unknown, given twice, of another type or length, or too many; all problems at once.
    """
    problems: list[str] = []
    columns: dict[str, list[Any]] = {}
    for tensor in inputs:
        if tensor.name not in schema.names:
            problems.append(f"input {tensor.name!r}: unknown, wanted some of {', '.join(schema.names)}")
        elif tensor.name in columns:
            problems.append(f"input {tensor.name!r}: given twice")
        else:
            try:
                columns[tensor.name] = _rows(tensor, schema.field(tensor.name), max_batch=max_batch)
            except TensorError as error:
                problems.append(f"input {tensor.name!r}: {error}")
    count = max(map(len, columns.values()), default=0)
    problems += [
        f"input {name!r}: {len(values):,} rows, wanted {count:,} as in the longest input, or 1"
        for name, values in columns.items()
        if len(values) not in {1, count}
    ]
    if not problems and not 1 <= count <= max_batch:
        problems.append(f"{count:,} requests in one call, wanted 1 to {max_batch:,}")
    if problems:
        raise TensorError("; ".join(problems) + ".")
    rows = {name: values * count if len(values) == 1 else values for name, values in columns.items()}
    return pa.table([pa.array(rows.get(field.name, [None] * count), field.type) for field in schema], schema=schema)


def to_outputs(answers: pa.Table) -> list[Output]:
    """Turn answers into tensors, lists padded to the longest of the batch."""
    return [_output(name, answers[name].combine_chunks()) for name in answers.column_names]


def _element(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_list(kind) else kind


def _datatype(kind: pa.DataType) -> str:
    return {pa.string(): "BYTES", pa.binary(): "BYTES", pa.int32(): "INT32", pa.float32(): "FP32"}[kind]


def _rows(tensor: Input, field: pa.Field, *, max_batch: int) -> list[Any]:
    """Return one value a request: a number, a text, or a list of them, texts without their padding."""
    wanted = _datatype(_element(field.type))
    if tensor.datatype not in {wanted, _WIDER.get(wanted)}:
        raise TensorError(f"datatype {tensor.datatype}, wanted {wanted}")
    values = _values(tensor)
    if pa.types.is_list(field.type):
        if values.ndim not in {1, 2}:
            raise TensorError(f"shape {list(values.shape)}, wanted [m] or [n, m]")
        if values.ndim > 1 and len(values) > max_batch:  # said before n lists are made: n may be any number if m is 0
            raise TensorError(f"{len(values):,} requests in one call, wanted 1 to {max_batch:,}")
        rows = np.atleast_2d(values)
        if wanted == "FP32":
            numbers: list[list[float]] = _single(rows).tolist()
            return numbers
        return [[text for text in map(_text, row) if text] for row in rows]
    if values.ndim != 1:
        raise TensorError(f"shape {list(values.shape)}, wanted [n]")
    if wanted == "BYTES":
        return list(map(_bytes if pa.types.is_binary(field.type) else _text, values))
    if wanted == "FP32":
        return list(_single(values).tolist())
    limits = np.iinfo(np.int32)
    if values.size and not limits.min <= values.min() <= values.max() <= limits.max:
        raise TensorError("a number beyond 32 bits")
    return [int(value) for value in values]


def _single(values: Values) -> Values:
    """Return numbers of single precision; NaN and infinity stay what they are, and are the predictor's to judge."""
    with np.errstate(over="ignore"):
        single = np.asarray(values).astype(np.float32)
    if (np.isinf(single) & np.isfinite(np.asarray(values, np.float64))).any():
        raise TensorError("a number beyond 32 bits")
    return single


def _values(tensor: Input) -> Values:
    """Decode the tensor; whatever is wrong with its bytes is the caller's mistake."""
    if tensor.data is not None:
        if not isinstance(tensor.data, list):
            raise TensorError(f"its data is {tensor.data!r:.40}, wanted a list")
        for value in np.array(tensor.data, dtype=object).ravel():
            if isinstance(value, bool) or not isinstance(value, _PLAIN[tensor.datatype]):
                raise TensorError(f"{value!r:.40} in its data, wanted {tensor.datatype}")
    try:
        return np.asarray(tensor.as_numpy())
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise TensorError(f"its data does not make a tensor of shape {tensor.shape}: {error}") from error


def _text(value: str | bytes) -> str:
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise TensorError(f"{value!r:.40} is not UTF-8: {error.reason}") from error


def _bytes(value: str | bytes) -> bytes:
    """Return bytes as they came, or from base64 where JSON brought them."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except (binascii.Error, ValueError) as error:
        raise TensorError(f"{value!r:.40} in its JSON, wanted base64: {error}") from error


def _output(name: str, column: pa.Array) -> Output:
    if pa.types.is_list(column.type):
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        width = int(lengths.max(initial=0))
        filled = np.arange(width) < lengths[:, None]
        flat = column.flatten()
    else:
        filled, flat = np.ones(len(column), dtype=bool), column
    text = pa.types.is_string(flat.type)
    values = np.full(filled.shape, "" if text else 0, dtype=object if text else flat.type.to_pandas_dtype())
    values[filled] = flat.to_numpy(zero_copy_only=False)
    return Output(name, _datatype(flat.type), values)
