"""The tables that preprocess writes, and what their commits remember about the nights that made them.

`parties` is committed first and says how a night was planned, `examples` last (`tasks.preprocess.nights`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_contracts.night import Night
from data_contracts.reading import scan
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import TRANSACTIONS
from data_contracts.table import Part, Table
from tasks.preprocess.nights import Nights
from tasks.preprocess.risk.plan import Plan


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
        self.nights = Nights(self.transactions, first=self.parties, last=self.examples)

    def begin(self, parts: list[Part], version: int, plan: Plan) -> None:
        """Begin a night: commit its new parties, and how it is planned."""
        marks = {NUMBERS.name: plan.numbers, **self.nights.beginning(version, plan.window)}
        self.parties.commit(parts, [self.nights.consumes(version)], marks=marks)

    def plan(self) -> Plan:
        """Return how the newest night was planned when it began; a night did begin."""
        return Plan(self.nights.window, self.nights.done is None, self.parties.mark(NUMBERS.name) or 0)

    def record(self) -> Night:
        """Return the record of the newest night, once it is done."""
        made = (self.parties, self.pairs, self.party_days, self.examples)
        versions = {table.contract.name: table.version() or 0 for table in made}
        versions[self.transactions.contract.name] = self.nights.done or 0
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
