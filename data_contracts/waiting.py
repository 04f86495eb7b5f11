"""What waits where labels come by themselves: rows for their label, labels for their row. Remembered with examples."""

from __future__ import annotations

from typing import Self

from data_contracts.contract import DataContract
from data_contracts.job import TablesAt
from data_contracts.night import Value
from data_contracts.reading import ReadableTable


class Waiting(Value):
    """What had not found its other half by the end of a night's window. Each is a mark of the night's last commit.

    Attributes:
        rows_waiting: Rows without a label, which may still come. A row without a key has none to wait for.
        rows_given_up: Rows whose time ran out with this window: the last day on which their label could be said is
            over. Those of them are counted, too, that came so late that it was over before.
        labels_waiting: Labels of which no row has come so far, and one still may.
        labels_given_up: Labels whose time ran out with this window in the same way.
    """

    rows_waiting: int = 0
    rows_given_up: int = 0
    labels_waiting: int = 0
    labels_given_up: int = 0

    @classmethod
    def of(cls, examples: ReadableTable, version: int | None = None) -> Self | None:
        """Return what a night remembered; None where it was one that counted nothing of the kind."""
        found = {name: examples.mark(name, version) for name in cls.model_fields}
        return None if None in found.values() else cls.model_validate(found)

    def __str__(self) -> str:
        """Say it in one sentence."""
        return (
            f"{self.rows_waiting:,} rows wait for a label, and {self.rows_given_up:,} were given up since the night "
            f"before; {self.labels_waiting:,} labels wait for a row, and {self.labels_given_up:,} were given up"
        )


def counted(tables: TablesAt, examples: DataContract) -> dict[str, int]:
    """Return what a night remembered with its examples, by the names of `Waiting`; nothing where it counted nothing.

    Args:
        tables: As that night recorded them.
        examples: Contract of the one that it committed last.
    """
    found = Waiting.of(ReadableTable(tables.folder, examples), tables.versions[examples.name])
    return {} if found is None else found.model_dump()
