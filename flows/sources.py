"""Where settings come from, and that nothing of it is ignored: a file that holds settings, variables that are some."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic_settings import SettingsError, YamlConfigSettingsSource

PREFIX = "NIGHTSHIFT_"
OTHERS = ("settings", "services", "code", "starter", "oom_kills")
"""Variables that are no settings: they name the settings file, or are set by the house for its own processes."""


class SettingsFile(YamlConfigSettingsSource):
    """A settings file, which must hold settings."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        found: object = super()._read_file(file_path)
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            seen = "names that are no text" if isinstance(found, dict) else f"a {type(found).__name__}"
            raise SettingsError(f"{file_path} holds {seen}, wanted lines of `name: value`, as in examples/shop.yaml.")
        return found


def existing(file: str) -> Path:
    """Return a settings file's path.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f"no settings file {file!r}. Give one by --settings or NIGHTSHIFT_SETTINGS.")
    return Path(file)


def require_known(variables: Iterable[str], settings: Iterable[str]) -> None:
    """See that every ``NIGHTSHIFT_*`` is a setting: one that is misspelt would be ignored.

    Raises:
        SettingsError: One is not.
    """
    known = [*settings, *OTHERS]
    for variable in variables:
        name = variable.removeprefix(PREFIX).partition("__")[0].lower()
        if variable.startswith(PREFIX) and name not in known:
            near = "".join(f" Did you mean {PREFIX}{each.upper()}?" for each in get_close_matches(name, known, n=1))
            raise SettingsError(f"{variable} is set, and there is no such setting.{near}")
