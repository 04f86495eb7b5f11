"""Bytes in JSON: ``{"b64": "iVBORw0K..."}``, as TensorFlow Serving and KServe's first protocol write them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

KEY = "b64"


def in_json(data: bytes) -> JsonValue:
    """Return bytes as a value that JSON knows."""
    return {KEY: base64.b64encode(data).decode()}


def from_json(value: Any) -> Any:  # noqa: ANN401, whatever stands in JSON
    """Return the bytes that a value of JSON is, and every other value as it is."""
    if isinstance(value, Mapping) and value.keys() == {KEY}:
        return base64.b64decode(value[KEY], validate=True)
    return value


def with_bytes(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request of JSON with bytes for what is bytes."""
    return {name: from_json(value) for name, value in request.items()}


def without_bytes(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as JSON has it."""
    return {name: in_json(value) if isinstance(value, bytes) else value for name, value in request.items()}
