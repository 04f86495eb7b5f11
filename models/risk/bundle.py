"""What is shipped to answer about risks: weights or trees, the parties, and what is remembered of them.

======================  ==================================================================================
file                    content
======================  ==================================================================================
of the scorer           see `models.risk.weights` and `models.risk.boosting`
`parties.parquet`       party, number
`party_days.parquet`    sums of each party's past, `data_contracts.risk.past.compacted`
`pairs.parquet`         from_number, to_number, day, happened_on, and sums of what was between the two on it
`past.json`             the day before which all of that was
======================  ==================================================================================

The past is that of the newest night, the window that judged included: nothing is learned from it, it is what a server
knows of the parties when it is asked.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.contract import DataContract
from data_contracts.job import Config, PublishJob, TablesAt
from data_contracts.night import Value
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.past import compacted
from data_contracts.risk.sums import HAPPENED_ON, PAIRS, PARTY_DAYS
from data_contracts.table import Table
from models.risk.scorers import open_scorer, ship

NUMBERED, PARTY_SUMS, PAIR_SUMS, PAST = "parties.parquet", "party_days.parquet", "pairs.parquet", "past.json"
GOLDEN_REQUESTS = 8
"""Made-up requests whose answers are kept."""


class PastRecord(Value, extra="ignore"):
    """What ``past.json`` says.

    Attributes:
        before: All that is remembered is of earlier days; requests are answered as if of this one.
    """

    before: date


def write_bundle(job: PublishJob, folder: Path) -> None:
    """Write the scorer and the past into ``folder``."""
    ship(Path(job.checkpoint), folder)
    newest = Table(job.tables.folder, PARTY_DAYS).partitions(job.tables.versions[PARTY_DAYS.name])[-1]
    before = date.fromisoformat(newest) + timedelta(days=1)
    (folder / PAST).write_text(PastRecord(before=before).model_dump_json(indent=2), encoding="utf-8")
    _read(job.tables, PARTIES).select("party", "number").sort("number").write_parquet(folder / NUMBERED)
    compacted(_read(job.tables, PARTY_DAYS).drop("window"), before).write_parquet(folder / PARTY_SUMS)
    pair = ["from_number", "to_number", "day", HAPPENED_ON.name]
    dated = _read(job.tables, PAIRS).with_columns(pl.coalesce(HAPPENED_ON.name, "day").alias(HAPPENED_ON.name))
    summed = dated.group_by(pair).agg(pl.col("count", "bad", "labelled", "outcome").sum()).sort(pair)
    summed.write_parquet(folder / PAIR_SUMS)


def example(job: PublishJob) -> Config:
    """Ask about the parties and the numbers of one of the transactions."""
    tables = job.tables
    examples = Table(tables.folder, EXAMPLES).dataset(tables.versions[EXAMPLES.name])
    one = pl.DataFrame(examples.head(1, columns=["from_number", "to_number", NUMBERS.name])).row(0, named=True)
    names = dict(_read(tables, PARTIES).select("number", "party").rows())
    parties = {"from_party": names[one["from_number"]], "to_party": names[one["to_number"]]}
    numbers = one[NUMBERS.name]
    return parties if not numbers or None in numbers else parties | {NUMBERS.name: numbers}


def golden_requests(folder: Path) -> list[dict[str, object]]:
    """Make requests up, always the same: of parties that nobody knows, and of some that are known."""
    known = pl.read_parquet(folder / NUMBERED, glob=False)["party"].to_numpy()
    numbers = open_scorer(folder).numbers
    chance = np.random.default_rng(seed=0)
    requests: list[dict[str, object]] = [{"from_party": "nobody knows", "to_party": "either of them", "amount": None}]
    for number in range(GOLDEN_REQUESTS - 1):
        giver, getter = chance.choice(known, 2, replace=False) if len(known) > 1 else (known[0], "another")
        amount = round(float(chance.lognormal(4, 2)), 2) if number % 2 else None
        own = [round(each, 2) for each in chance.normal(0, 100, numbers).tolist()] if numbers and number % 3 else None
        parties = {"from_party": str(giver), "to_party": str(getter)}
        requests.append({**parties, "amount": amount, **({NUMBERS.name: own} if own else {})})
    return requests


def _read(tables: TablesAt, contract: DataContract) -> pl.DataFrame:
    return pl.DataFrame(Table(tables.folder, contract).read(tables.versions[contract.name]))
