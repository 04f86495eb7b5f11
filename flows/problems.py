"""What is wrong with settings, for people: every problem at once, a line each, what was meant if that can be told."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from yaml import YAMLError

from data_contracts.credentials import without_password
from flows.settings import NightlySettings

FOLLOWS = "default_factory_not_called"
"""Kind of problem that only says that there is another one."""
RENAMED = {
    "validation.kinds": "validation.allowed: {event: [...]}",
    "held_out.min_users": "held_out.min_units",
    "validation.stop_on_volume": "validation.stop_on: [volume, ...]",
}
"""Settings of 0.1 to what they are called now."""
SHOWN_LENGTH = 60
"""Characters of a wrong value that are shown."""


@contextmanager
def explained(settings: type[NightlySettings] = NightlySettings) -> Iterator[None]:
    """End the program, with exit code 1, with what is wrong with its settings, should anything be.

    Args:
        settings: Their class, which knows what may have been meant.
    """
    try:
        yield
    except ValidationError as error:
        told = (each for each in error.errors() if each["type"] != FOLLOWS)
        refuse(line for each in told for line in _lines(each, settings))
    except (SettingsError, OSError, YAMLError, UnicodeDecodeError) as error:
        refuse([str(error)])


def refuse(problems: Iterable[str]) -> NoReturn:
    """End the program with these problems."""
    sys.exit("settings:\n  - " + "\n  - ".join(problems))


def meant(name: str, known: Iterable[str]) -> str:
    """Ask whether the nearest of the known names was meant; nothing when none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _lines(problem: ErrorDetails, settings: type[NightlySettings]) -> Iterator[str]:
    """Say where a problem is, what it is, and what was seen; one that names several has a line for each."""
    where, said = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
    match problem["type"]:
        case "extra_forbidden":
            *path, name = map(str, problem["loc"])
            known = f" It is {RENAMED[where]} now." if where in RENAMED else meant(name, _fields(path, settings))
            said = f"there is no such setting.{known}"
        case "missing" | "value_error":
            pass
        case _:
            shown = without_password(repr(problem["input"]))
            said += f"; seen {shown[:SHOWN_LENGTH]}{'…' if len(shown) > SHOWN_LENGTH else ''}"
    for line in said.splitlines():
        yield f"{where}: {line}" if where else line


def _fields(path: Iterable[str], settings: type[NightlySettings]) -> list[str]:
    """Return the names of the settings under a path, such as ``train``; none where there are no settings."""
    model: Any = settings
    for name in path:
        field = model.model_fields.get(name)
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
