"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`symbols` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

import polars as pl

from data_contracts.language.symbols import SYMBOLS
from data_contracts.speech.examples import EXAMPLES
from data_contracts.speech.recordings import RECORDINGS
from data_contracts.speech.transcripts import TRANSCRIPTS
from data_contracts.table import Table
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.planned import PlannedTables
from tasks.preprocess.truth import refuse_lost_files


class Tables(PlannedTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.recordings = Table(folder, RECORDINGS)
        self.transcripts = Table(folder, TRANSCRIPTS)
        self.symbols = Table(folder, SYMBOLS)
        self.examples = Table(folder, EXAMPLES)
        super().__init__(self.recordings, self.symbols, self.examples)

    def due(self, recordings: int, label_days: int) -> list[Due]:
        """Return the files with recordings for a night, see `tasks.preprocess.labels.due_files`.

        Args:
            recordings: Version of table `recordings` that the night's window was opened with.
            label_days: See `FeatureConfig`.

        Raises:
            OutOfOrderError: Files of the night before are there no more, so that nobody can tell which rows are new.
            RowsLostError: The files have other rows than validate counted.
        """
        refuse_lost_files(self.recordings, recordings)
        return due_files(self.recordings, self.transcripts, self.nights.done, recordings, label_days)

    def has_due(self, recordings: int, label_days: int) -> bool:
        """Whether there are any such."""
        return bool(self.due(recordings, label_days))

    def numbered(self) -> pl.DataFrame:
        """Read ``symbol`` and ``symbol_number`` of every character that has a number."""
        return pl.DataFrame(self.symbols.read(columns=["symbol", "symbol_number"])).sort("symbol_number")
