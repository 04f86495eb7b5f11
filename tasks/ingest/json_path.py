"""Where a value stands in a JSON document: RFC 9535's singular queries, which match one value at most."""

from __future__ import annotations

import json
import re

Keys = tuple[str | int, ...]
"""Members (text) and places in lists (whole numbers, from the end where negative), from the outside in."""

_STEP = re.compile(
    r"""\.(?P<name>[^\s.*?\[\]'"]+)
    |\[\s*(?P<index>-?\d+)\s*\]
    |\[\s*(?P<double>"(?:[^"\\]|\\.)*")\s*\]
    |\[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\]""",
    re.VERBOSE,
)


def keys(column: str) -> Keys:
    """Return the way to a column: of a path, ``$.user.id`` or ``$["a"].b[0]``, or the name of a member as it is.

    Raises:
        ValueError: It is a path that may match several values, or none that can be read.
    """
    if not column.startswith(("$.", "$[")):
        return (column,)
    found: list[str | int] = []
    position = 1
    while position < len(column):
        step = _STEP.match(column, position)
        if step is None:
            raise ValueError(
                f"{column!r} names no single value, from {column[position:]!r} on; wanted a path of names and places, "
                "such as $.user.id, $['user id'] or $.items[0].id. Where a line has several events, write one a line"
            )
        found.append(_key(step))
        position = step.end()
    return tuple(found)


def problem_of(column: str) -> str:
    """Say why a column is no way to one value; empty when it is one."""
    try:
        keys(column)
    except ValueError as error:
        return str(error)
    return ""


def _key(step: re.Match[str]) -> str | int:
    if step["index"]:
        return int(step["index"])
    if step["double"]:
        return str(json.loads(step["double"]))
    if step["name"]:
        return step["name"]
    return re.sub(r"\\(.)", r"\1", step["single"])


def value_at(document: object, way: Keys) -> object:
    """Return what stands there; None where nothing does."""
    for key in way:
        if isinstance(key, str):
            document = document.get(key) if isinstance(document, dict) else None
        elif isinstance(document, list) and -len(document) <= key < len(document):
            document = document[key]
        else:
            return None
    return document


def is_said(document: object, way: Keys) -> bool:
    """Whether something stands there, if only null; null on the way says all that is behind it."""
    for key in way:
        if document is None:
            return True
        if isinstance(key, str):
            is_there = isinstance(document, dict) and key in document
        else:
            is_there = isinstance(document, list) and -len(document) <= key < len(document)
        if not is_there:
            return False
        document = value_at(document, (key,))
    return True
