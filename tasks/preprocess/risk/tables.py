"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`parties` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from data_contracts.night import Night
from data_contracts.reading import scan
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.labels import LABELS
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.staging import LABELS as SEEN_LABELS
from data_contracts.table import Part, Table
from data_contracts.waiting import Waiting
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.nights import Nights
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.truth import came_with, window_end

LABEL_DAYS = "label_days"
"""Mark of a commit of `parties`: how long labels are waited for, where they come."""


class Tables:
    """The tables of one workspace, in the order of their commits.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.transactions = Table(folder, TRANSACTIONS)
        self.labels = Table(folder, LABELS)
        self.parties = Table(folder, PARTIES)
        self.pairs = Table(folder, PAIRS)
        self.party_days = Table(folder, PARTY_DAYS)
        self.examples = Table(folder, EXAMPLES)
        self.nights = Nights(self.transactions, first=self.parties, last=self.examples)

    def waits(self, version: int) -> bool:
        """Whether labels have a source of their own, for which transactions of this version wait."""
        return self.transactions.mark(SEEN_LABELS, version) is not None

    def due(self, version: int, label_days: int) -> list[Due]:
        """Return the files with transactions for a night, see `tasks.preprocess.labels.due_files`.

        Args:
            version: Of table `transactions` that the night's window was opened with.
            label_days: See `FeatureConfig`.

        Raises:
            OutOfOrderError: Files of the night before are there no more, so that nobody can tell which rows are new.
        """
        return due_files(self.transactions, self.labels, self.nights.done, version, label_days)

    def taken_by(self, due: Sequence[Due], newest: str) -> dict[str, str]:
        """Return for each file the key of the newest window of the night that took it.

        A night takes the files that came since the one before it, up to the end of its window.

        Args:
            due: Files of a night, see `due`.
            newest: Key of that night's own newest window, which its new files get.
        """
        old = [each.file for each in due if not each.is_new]
        windows = self.party_days.partitions() if old else []
        took = {each.file: newest for each in due}
        for file in old:
            version = came_with(file)
            ended = window_end(self.transactions, version - 1 if version else None)
            day_before = date.fromisoformat(self.transactions.partition_of(file)) - timedelta(days=1)
            after = max(ended, day_before).isoformat()
            took[file] = next(key for key in windows if key > after)
        return took

    def begin(self, parts: list[Part], version: int, plan: Plan, label_days: int) -> None:
        """Begin a night: commit its new parties, how it is planned, and how long it waits for labels, if any come."""
        waits = {LABEL_DAYS: label_days} if self.waits(version) else {}
        marks = {NUMBERS.name: plan.numbers, **waits, **self.nights.beginning(version, plan.window)}
        self.parties.commit(parts, [self.nights.consumes(version)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(self.nights.window, self.nights.done is None, self.parties.mark(NUMBERS.name) or 0)

    def finish(self, parts: list[Part], version: int, waiting: Waiting | None) -> None:
        """Commit a night's examples.

        Args:
            parts: Of them.
            version: Of `transactions` that it took.
            waiting: What waits, where labels come.
        """
        waited = {} if waiting is None else waiting.model_dump()
        marks = {**self.nights.end(version), NUMBERS.name: self.plan().numbers, **waited}
        self.examples.commit(parts, [self.nights.consumes(version)], marks=marks)

    def refuse_other(self, label_days: int) -> None:
        """Refuse to wait for labels longer, or less long, than before: which rows are done could not be told.

        Raises:
            OtherFeaturesError: It is so.
        """
        refuse_other_features(self.parties, {LABEL_DAYS: label_days})

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        made = (self.parties, self.pairs, self.party_days, self.examples)
        versions = {table.contract.name: table.version() or 0 for table in made}
        versions[self.transactions.contract.name] = self.nights.readable
        return Night(window=self.plan().window, windows=tuple(self.party_days.partitions()), tables=versions)

    def numbers(self) -> pl.DataFrame:
        """Read ``party`` and ``number`` of every party that has one."""
        return pl.DataFrame(self.parties.read(columns=["party", "number"]))

    def sums(self, parties: Sequence[int] | pl.Series, through: str) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read the rows of `party_days`, and those of `pairs`, that are of any of these parties.

        Args:
            parties: Numbers.
            through: Key of the newest window whose rows are read.
        """
        days, pairs = (
            scan([file for file in table.file_rows() if table.partition_of(file) <= through], table.contract)
            for table in (self.party_days, self.pairs)
        )
        wanted = pl.Series(parties).implode()
        of_pairs = pl.col("from_number").is_in(wanted) | pl.col("to_number").is_in(wanted)
        return days.filter(pl.col("party").is_in(wanted)).collect(), pairs.filter(of_pairs).collect()
