"""What is refused before a night begins: features that the tables were not made with."""

from __future__ import annotations

from collections.abc import Mapping

from data_contracts.reading import ReadableTable
from tasks.preprocess.errors import OtherFeaturesError

OWN_TABLES = "No features were published. Give these logs a name (and so tables) of their own, or set it back."


def refuse_other_features(table: ReadableTable, wanted: Mapping[str, int]) -> None:
    """Refuse features that the tables were not made with.

    Args:
        table: Whose commits have marks that say what the nights were made with.
        wanted: Setting under `features`, called as its mark, to its number. What no commit says may be anything.

    Raises:
        OtherFeaturesError: Every difference.
    """
    made_with = {name: table.mark(name) for name in wanted}
    differences = [
        f"features.{name}: the tables have {made_with[name]:,}, the settings say {wanted[name]:,}"
        for name in wanted
        if made_with[name] not in (None, wanted[name])
    ]
    if differences:
        listed = "\n  - ".join(differences)
        raise OtherFeaturesError(f"{table.uri} was made with other features:\n  - {listed}\n{OWN_TABLES}")
