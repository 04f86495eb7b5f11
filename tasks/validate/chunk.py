"""One chunk of staged rows: checked, parted into accepted and broken, written. One Dask task a chunk."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import add
from typing import Any, NamedTuple, Self

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.check import check
from data_contracts.contract import LATE, DataContract, Limits
from data_contracts.counts import RuleCounts
from data_contracts.days import days_of
from data_contracts.night import UseCaseName
from data_contracts.promises import Inflow
from data_contracts.quarantine import QUARANTINE
from data_contracts.reading import scan
from data_contracts.staging import bytes_as_text, incoming, staging
from data_contracts.table import Part, Table
from data_contracts.use_cases import promises

_EXAMPLE_LENGTH = 160


@dataclass(frozen=True)
class Report:
    """What became of some rows. Reports of chunks that follow are added with ``+``.

    Attributes:
        counts: Of each rule, over all rows looked at.
        broken: Rule to the number of new rows that broke it first, late ones left out.
        late: New rows that only came too late.
        examples: Rule to the first of these rows, for people.
        accepted: Parts of the truth, each of one day.
        quarantined: Parts of table `quarantine`.
        begun: Rows that this very night put into `quarantine`, before it died.
        dropped: Rows that came too late and are kept nowhere.
        repeats: Rows that break a rule and are in table `quarantine` from nights before: their file came again.
    """

    counts: tuple[RuleCounts, ...] = ()
    broken: Counter[str] = field(default_factory=Counter)
    late: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    accepted: tuple[Part, ...] = ()
    quarantined: tuple[Part, ...] = ()
    begun: int = 0
    dropped: int = 0
    repeats: int = 0

    @property
    def days(self) -> Counter[date]:
        """Rows accepted, by day."""
        days = Counter[date]()
        for part in self.accepted:
            days[date.fromisoformat(str(part.partition["day"]))] += part.rows
        return days

    def __add__(self, other: Self) -> Self:
        """Return the report on both sets of rows."""
        return type(self)(
            counts=tuple(map(add, self.counts, other.counts)),
            broken=self.broken + other.broken,
            late=self.late + other.late,
            examples={**other.examples, **self.examples},
            accepted=self.accepted + other.accepted,
            quarantined=self.quarantined + other.quarantined,
            begun=self.begun + other.begun,
            dropped=self.dropped + other.dropped,
            repeats=self.repeats + other.repeats,
        )


NOTHING = Report()
"""What is said of files without any rows."""


class Known(NamedTuple):
    """What came before: rows in these files of table `quarantine` are not put there again.

    Attributes:
        before: Of nights before.
        tonight: Of this very night, which put them there and died.
        again: Source files that have rows that are published already.
    """

    before: list[str]
    tonight: list[str]
    again: tuple[str, ...] = ()


def validate_chunk(
    uri: str,
    name: str,
    known: Known,
    tables: str,
    use_case: UseCaseName,
    of: Inflow,
    limits: Limits,
    *,
    drop_late: bool,
) -> Report:
    """Check the staged rows at ``uri``; write those that keep their contract, and those that break it.

    Args:
        uri: Of one staged Parquet file.
        name: Of the files to write, without ending.
        known: What is in quarantine.
        tables: URI of the tables' folder.
        use_case: Whose rows are checked.
        of: Which of them.
        limits: What the rules are measured against.
        drop_late: Whether rows that only came too late are kept nowhere, instead of in quarantine.

    Raises:
        ContractError: A rule could not be computed.
    """
    contract, quarantine = promises(use_case).incoming[of]
    staged = staging(contract)
    rules = staged.row_rules(limits)
    with fsspec.open(uri, "rb") as file:
        rows = staged.conform(pq.read_table(file))
    checked = check(staged.checked(rows), rules)
    first_broken = pa.array(checked.first_broken)
    good, bad = pc.less(first_broken, 0), pc.greater_equal(first_broken, 0)
    accepted = _accepted(rows.filter(good), contract, limits.day_zone)
    rule = pa.array([rule.name for rule in rules], pa.string()).take(first_broken.filter(bad))
    broken = _broken(rows.filter(bad), rule, contract, limits.latest)
    kept = broken.filter(pc.not_equal(broken["rule"], LATE)) if drop_late else broken
    new = _unknown(kept, known.before, known.again)
    fresh = _unknown(new, known.tonight, rows["source_file"].unique().to_pylist())
    rules_broken = _counted(new["rule"])
    dropped = broken.num_rows - kept.num_rows
    return Report(
        counts=checked.counts,
        late=rules_broken.pop(LATE, 0) + dropped,
        broken=rules_broken,
        examples=_examples(broken if drop_late else new),
        accepted=tuple(Table(tables, contract).write(accepted, name)),
        quarantined=tuple(Table(tables, quarantine).write(fresh, name)),
        begun=new.num_rows - fresh.num_rows,
        dropped=dropped,
        repeats=kept.num_rows - new.num_rows,
    )


def _accepted(rows: pa.Table, contract: DataContract, day_zone: str) -> pa.Table:
    """Keep the contract's columns and derive its partition, the day."""
    times = pl.DataFrame(rows.select([contract.time_column]))
    day = times.select(days_of(pl.col(contract.time_column), day_zone)).to_series().to_arrow()
    return rows.select(incoming(contract).names).append_column(contract.partition_by, day)


def _broken(rows: pa.Table, rule: pa.Array, contract: DataContract, today: date) -> pa.Table:
    """Keep each row as it came: as JSON, with where it came from and the first rule that it broke."""
    frame = pl.DataFrame(pl.from_arrow(rows.append_column("rule", rule)))
    values = (_as_read(field.name, field.type) for field in incoming(contract))
    as_read = pl.struct(values).struct.json_encode()
    kept = frame.select(
        pl.coalesce("original", as_read).alias("row"),
        "source_file",
        "source_row",
        pl.coalesce("problem", "rule").alias("rule"),
        pl.lit(today).alias("day_ingested"),
    )
    return kept.to_arrow(compat_level=pl.CompatLevel.oldest())


def _as_read(name: str, kind: pa.DataType) -> pl.Expr:
    if pa.types.is_binary(kind):
        return bytes_as_text(pl.col(name)).alias(name)
    return pl.col(name) if pa.types.is_nested(kind) else pl.col(name).cast(pl.String)


def _unknown(broken: pa.Table, known: list[str], again: Sequence[str]) -> pa.Table:
    """Return the rows that ``known`` files of quarantine lack, whatever rule they broke.

    Broken rows often look alike: as many are known as are there, and only where their source file is one of ``again``
    or has rows there. A row that is only late says all of itself, and is known wherever it comes from.
    """
    if not (broken.num_rows and known):
        return broken
    rows = pl.DataFrame(broken)
    quarantine = scan(known, QUARANTINE).select("row", "source_file")
    by_row, by_file = (
        quarantine.join(rows.lazy().select(on), on=on, how="semi").group_by(on).len("there")
        for on in ("row", "source_file")
    )
    there, files = pl.collect_all([by_row, by_file], engine="streaming")
    came_again = pl.col("source_file").is_in([*again, *files["source_file"]])
    may_be_known = came_again | (pl.col("rule") == LATE)
    counted = rows.join(there, on="row", how="left", maintain_order="left")
    is_known = pl.int_range(pl.len()).over("row", may_be_known) < pl.col("there").fill_null(0)
    new = counted.filter(~(may_be_known & is_known)).drop("there")
    return new.to_arrow(compat_level=pl.CompatLevel.oldest())


def _counted(rules: pa.ChunkedArray) -> Counter[str]:
    return Counter({run["values"].as_py(): run["counts"].as_py() for run in pc.value_counts(rules)})


def _examples(broken: pa.Table) -> dict[str, str]:
    firsts = pl.DataFrame(pl.from_arrow(broken)).unique("rule", keep="first", maintain_order=True)
    return {row["rule"]: _example(row) for row in firsts.iter_rows(named=True)}


def _example(row: Mapping[str, Any]) -> str:
    name = posixpath.basename(row["source_file"])
    return f"{name} row {row['source_row']:,}: {row['row'][:_EXAMPLE_LENGTH]}"
