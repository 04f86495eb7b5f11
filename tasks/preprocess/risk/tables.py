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
from data_contracts.risk.promises import PROMISES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.staging import LABELS as SEEN_LABELS
from data_contracts.table import Part, Table
from data_contracts.waiting import Waiting
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.labels import Due, due_files
from tasks.preprocess.nights import Nights
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.truth import came_with, window_end
from tasks.preprocess.waiting import count_waiting

LABEL_DAYS = "label_days"
"""Mark of a commit of `examples`: how long its labels were waited for."""


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
        """Return for each file the newest window, by its key, of the night that took it; tonight's own is ``newest``.

        A night takes the files that came after the one before, up to the end of its window.
        """
        old = [each.file for each in due if not each.is_new]
        windows = self.party_days.partitions() if old else []
        took = {each.file: newest for each in due}
        for file, version in came_with(self.transactions, old, self.nights.done).items():
            ended = window_end(self.transactions, version - 1 if version else None)
            day_before = date.fromisoformat(self.transactions.partition_of(file)) - timedelta(days=1)
            after = max(ended, day_before).isoformat()
            took[file] = next(key for key in windows if key > after)
        return took

    def begin(self, parts: list[Part], version: int, plan: Plan) -> None:
        """Begin a night: commit its new parties, and how it is planned."""
        marks = {NUMBERS.name: plan.numbers, **self.nights.beginning(version, plan.window)}
        self.parties.commit(parts, [self.nights.consumes(version)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(self.nights.window, self.nights.done is None, self.parties.mark(NUMBERS.name) or 0)

    def waiting(self, version: int, label_days: int) -> Waiting:
        """Count transactions without a label, and labels without one, see `tasks.preprocess.waiting`."""
        promised = PROMISES.labels
        assert promised is not None
        return count_waiting(self.transactions, self.labels, promised, self.nights.done, version, label_days)

    def finish(self, parts: list[Part], version: int, label_days: int, waiting: Waiting | None) -> None:
        """Commit a night's examples.

        Args:
            parts: Of them.
            version: Of `transactions` that it took.
            label_days: See `FeatureConfig`; remembered where labels come.
            waiting: What waits, where labels come.
        """
        waited = {} if waiting is None else {LABEL_DAYS: label_days, **waiting.model_dump()}
        marks = {**self.nights.end(version), NUMBERS.name: self.plan().numbers, **waited}
        self.examples.commit(parts, [self.nights.consumes(version)], marks=marks)

    def refuse_other(self, label_days: int) -> None:
        """Refuse to wait for labels longer, or less long, than before: which rows are done could not be told.

        Raises:
            OtherFeaturesError: It is so.
        """
        before = self.examples.mark(LABEL_DAYS)
        if before not in (None, label_days):
            raise OtherFeaturesError(
                f"{self.examples.uri} was made with features.label_days {before}, the settings say {label_days}. No "
                "features were published. Set it back, or give these logs a name (and so tables) of their own."
            )

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        made = (self.parties, self.pairs, self.party_days, self.examples)
        versions = {table.contract.name: table.version() or 0 for table in made}
        versions[self.transactions.contract.name] = self.nights.done or 0
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
