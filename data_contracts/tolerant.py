"""Settings that other code wrote, as this code understands them."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def parsed_tolerantly(kind: type[AnyModel], told: JsonValue) -> AnyModel:
    """Parse settings, leaving out those that ``kind`` does not know; those that it does not find have their default.

    Raises:
        pydantic.ValidationError: What it knows has a value that it does not take.
    """
    known = deepcopy(told)
    try:
        return kind.model_validate(known)
    except ValidationError as error:
        unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
    for place in unknown:
        _forget(known, place)
    return kind.model_validate(known)


def _forget(told: JsonValue, place: tuple[int | str, ...]) -> None:
    """Remove what lies at a place as pydantic names it: names of a union's members are in there, too."""
    *path, last = place
    for step in path:
        if isinstance(told, list) and isinstance(step, int):
            told = told[step]
        elif isinstance(told, dict) and step in told:
            told = told[str(step)]
    if isinstance(told, dict):
        del told[str(last)]
