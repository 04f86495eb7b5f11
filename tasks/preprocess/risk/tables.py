"""The tables that preprocess writes, and what their commits remember about the nights that made them.

A night commits to `parties` first and to `examples` last; every commit consumes ``transactions@<version>``. So
`parties` says which night was begun and how it was planned, `examples` which one is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from data_contracts.night import Night, Window
from data_contracts.reading import scan
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.table import Part, Table
from tasks.preprocess.errors import NoNewEventsError, OutOfOrderError
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.truth import new_files


class Tables:
    """The tables of one workspace, in the order of their commits.

    Args:
        folder: URI under which every table has a folder of its own.
    """

    def __init__(self, folder: str) -> None:
        self.transactions = Table(folder, TRANSACTIONS)
        self.parties = Table(folder, PARTIES)
        self.pairs = Table(folder, PAIRS)
        self.party_days = Table(folder, PARTY_DAYS)
        self.examples = Table(folder, EXAMPLES)

    @property
    def begun(self) -> int | None:
        """Version of `transactions` that the newest night began with."""
        return self.parties.mark("transactions")

    @property
    def done(self) -> int | None:
        """Version of `transactions` that the newest finished night took."""
        return self.examples.mark("transactions")

    def unfinished(self, version: int) -> Iterator[int]:
        """Yield the nights to build, oldest first: one that was broken off, and the one that takes ``version``.

        Each is asked for when the one before is done. One that has nothing new is left out.

        Raises:
            NoNewEventsError: There is nothing to make the first features of.
            OutOfOrderError: The tables have a newer version already, or files of an older one are gone.
        """
        begun = version if self.begun is None else self.begun
        if version < begun:
            raise OutOfOrderError(
                f"{self.transactions.uri}: version {version} was asked for, but the tables have version {begun} "
                "already. No features were published. Start the night again: it takes the newest version."
            )
        for night in sorted({begun, version}):
            if night != self.done and sum(new_files(self.transactions, self.done, night).values()) > 0:
                yield night
        if self.done is None:
            raise NoNewEventsError(
                f"{self.transactions.uri}: version {version} holds no rows. No features were published. Take more days."
            )

    def begin(self, parts: list[Part], version: int, plan: Plan) -> None:
        """Begin a night: commit its new parties, and how it is planned."""
        days = {"first_day": plan.window.first_day.toordinal(), "last_day": plan.window.last_day.toordinal()}
        marks = {"transactions": version, NUMBERS.name: plan.numbers, **days}
        self.parties.commit(parts, [consumes(version)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        first_day, last_day = (date.fromordinal(self.parties.mark(name) or 1) for name in ("first_day", "last_day"))
        window, numbers = Window(first_day=first_day, last_day=last_day), self.parties.mark(NUMBERS.name) or 0
        return Plan(window, self.done is None, numbers)

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        made = (self.parties, self.pairs, self.party_days, self.examples)
        versions = {table.contract.name: table.version() or 0 for table in made}
        versions[self.transactions.contract.name] = self.done or 0
        return Night(window=self.plan().window, windows=tuple(self.examples.partitions()), tables=versions)

    def numbers(self) -> pl.DataFrame:
        """Read ``party`` and ``number`` of every party that has one."""
        return pl.DataFrame(self.parties.read(columns=["party", "number"]))

    def sums(self, parties: Sequence[int] | pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Read the rows of `party_days`, and those of `pairs`, that are of any of these parties."""
        days, pairs = (scan(list(table.file_rows()), table.contract) for table in (self.party_days, self.pairs))
        wanted = pl.Series(parties).implode()
        of_pairs = pl.col("from_number").is_in(wanted) | pl.col("to_number").is_in(wanted)
        return days.filter(pl.col("party").is_in(wanted)).collect(), pairs.filter(of_pairs).collect()


def consumes(version: int) -> str:
    """Return the application transaction of a night that takes this version of `transactions`."""
    return f"{TRANSACTIONS.name}@{version}"
