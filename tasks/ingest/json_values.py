"""One value of JSON as text: exactly, or not at all."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import orjson

from tasks.ingest.raw import is_utf8

_WHOLE = 2**53
"""Below, every whole number is a float of its own."""
_DIGITS = 64
"""A whole number of so many is too large for an id, whatever follows."""
_WORDS = (-(2**63), 2**64 - 1)
"""Between them stand the whole numbers that the decoder does not make floats of."""


class Unreadable(NamedTuple):
    """Stands for a value that was given and cannot be read; where nothing more is said, it is of another kind."""

    why: str


_NOT_ONE_VALUE = Unreadable("")


def written(value: object) -> str:
    """Write a value as JSON does."""
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()


def whole_number(digits: str) -> int:
    """Return a number, or one that is too large as well: of thousands of digits Python makes none."""
    return int(digits[:_DIGITS])


def as_text(value: object, *, is_id: bool) -> str | Unreadable | None:
    """Write a single value: a whole number whole, a text as it came; None where there is none."""
    if value is None:
        return None
    if type(value) is int:
        return str(value) if _WORDS[0] <= value <= _WORDS[1] else _NOT_ONE_VALUE
    if type(value) is float:
        return _number(value, is_id=is_id)
    if type(value) is str:
        return value if value.isascii() or is_utf8(value) else Unreadable("is not UTF-8")
    return _NOT_ONE_VALUE


def _number(value: float, *, is_id: bool) -> str | Unreadable:
    if not math.isfinite(value):
        return Unreadable(f"is {'NaN' if math.isnan(value) else 'Infinity'}")
    if abs(value) >= _WHOLE:
        return _NOT_ONE_VALUE if is_id else repr(value)
    return str(int(value)) if value.is_integer() else orjson.dumps(value).decode()
