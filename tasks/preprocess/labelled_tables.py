"""Tables of nights whose labels may come later, and what such nights have in common: of every use case that has two."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import partial

from distributed import Client

from data_contracts.promises import Promises
from data_contracts.table import Table
from tasks.cluster import on_workers
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.pieces import Destination
from tasks.preprocess.planned import PlannedTables
from tasks.preprocess.taken import Taken, add_up
from tasks.preprocess.truth import refuse_lost_files
from tasks.preprocess.waiting import count_waiting

logger = logging.getLogger(__name__)


class LabelledTables(PlannedTables):
    """The tables of one workspace.

    Args:
        folder: URI under which every table has a folder of its own.
        promises: The use case's: rows, labels that may come later, and two tables that are made of them.

    Attributes:
        first: What a night commits first.
        examples: What it commits last.
    """

    def __init__(self, folder: str, promises: Promises) -> None:
        assert promises.labels is not None
        self.folder = folder
        self._promised = promises.labels
        self._labels = Table(folder, promises.labels.contract)
        self.first, self.examples = (Table(folder, contract) for contract in promises.made)
        super().__init__(Table(folder, promises.truth), self.first, self.examples)

    def due(self, version: int, label_days: int) -> list[Due]:
        """Return the files with rows for a night, see `tasks.preprocess.labels.due_files`.

        Args:
            version: Of the truth that the night's window was opened with.
            label_days: See `LabelsConfig`.

        Raises:
            OutOfOrderError: Files of the night before are there no more, so that nobody can tell which rows are new.
            RowsLostError: The files have other rows than validate counted.
        """
        refuse_lost_files(self._truth, version)
        return due_files(self._truth, self._labels, self.nights.done, version, label_days)

    def unfinished(self, version: int, label_days: int) -> Iterator[tuple[int, list[Due]]]:
        """Yield the nights to build, oldest first, and their files; see `Nights.unfinished`."""
        for each in self.nights.unfinished(version, lambda night: bool(self.due(night, label_days))):
            yield each, self.due(each, label_days)

    def destinations(self, due: Sequence[Due], version: int, day_zone: str) -> list[Destination]:
        """Return where the examples of each file go, once the night is planned."""
        plan, contract = self.plan(), self.examples.contract
        names = (f"night-{version:06}-{number:05}" for number in range(len(due)))
        return [Destination(plan, day_zone, self.folder, contract, name) for name in names]

    def finish(self, client: Client, due: Sequence[Due], taken: Sequence[Taken], version: int, label_days: int) -> None:
        """See that no row was lost, count what waits, and commit a night's examples.

        Args:
            client: Of the cluster.
            due: The night's files.
            taken: What became of each.
            version: Of the truth that it takes.
            label_days: See `LabelsConfig`.

        Raises:
            RowsLostError: A row is missing.
        """
        parts = add_up(due, taken, self._truth.contract.name).parts
        ask = partial(count_waiting, self._truth, self._labels, self._promised, self.nights.done)
        (waiting,) = on_workers(client, partial(ask, label_days=label_days), [version])
        logger.info("by the end of %s %s", self.plan().window.last_day, waiting)
        self.commit_last(parts, version, waiting.model_dump())
