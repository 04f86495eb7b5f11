"""What is refused before a night begins: features that the tables were not made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_contracts.reading import ReadableTable
from tasks.preprocess.errors import OtherFeaturesError

OWN_TABLES = "No features were published. Give these logs a name (and so tables) of their own, or set it back."


def refuse_other_features(
    table: ReadableTable, wanted: Mapping[str, int], words: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Refuse features that the tables were not made with.

    Args:
        table: Whose commits have marks that say what the nights were made with.
        wanted: Setting under `features`, called as its mark, to its number. What no commit says may be anything.
        words: Such settings that are words, to all of them: the number of each is its place.

    Raises:
        OtherFeaturesError: Every difference.
    """
    made_with = {name: table.mark(name) for name in wanted}
    said = words or {}
    differences = [
        f"features.{name}: the tables have {_said(there, said.get(name))}, the settings say "
        f"{_said(wanted[name], said.get(name))}"
        for name, there in made_with.items()
        if there is not None and there != wanted[name]
    ]
    if differences:
        listed = "\n  - ".join(differences)
        raise OtherFeaturesError(f"{table.uri} was made with other features:\n  - {listed}\n{OWN_TABLES}")


def _said(number: int, words: Sequence[str] | None) -> str:
    return f"{number:,}" if words is None else repr(words[number])
