"""Rows that broke a rule, of all ranges of a night: those that `quarantine` has not are put there."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import polars as pl
from distributed import Client

from data_contracts.contract import LATE
from data_contracts.quarantine import QUARANTINE
from data_contracts.reading import scan
from data_contracts.table import Table
from data_contracts.use_cases import IncomingTables
from tasks.validate.report import NOTHING, Report

ROWS_HELD = 1_000_000
"""Broken rows that one task looks at, about."""
_EXAMPLE_LENGTH = 160


class Known(NamedTuple):
    """What came before: rows in these files of table `quarantine` are not put there again.

    Attributes:
        before: Of nights before.
        tonight: Of this very night, which put them there and died.
        again: Source files that have rows that are published already.
    """

    before: Sequence[str]
    tonight: Sequence[str]
    again: frozenset[str] = frozenset()


class Share(NamedTuple):
    """Rows that one task works on: those whose hash, modulo ``of``, is ``number``. Rows that look alike share one."""

    number: int
    of: int


def shares(rows: int) -> list[Share]:
    """Part broken rows so that each task holds about `ROWS_HELD`."""
    count = max(-(-rows // ROWS_HELD), 1)
    return [Share(number, count) for number in range(count)]


def quarantined(
    client: Client, broken: Mapping[str, int], name: str, known: Known, table: Table, *, drop_late: bool
) -> Report:
    """Put the broken rows of all ranges into `quarantine`, those that it has left out, on the workers.

    Args:
        client: Of the cluster.
        broken: URIs of the files that `tasks.validate.ranges` wrote, and how many rows each has.
        name: How the names of the files to write begin.
        known: What is in quarantine.
        table: `quarantine`.
        drop_late: Whether rows that only came too late are kept nowhere.
    """
    if not broken:
        return NOTHING
    if known.tonight:
        name = f"{name}-again-{table.version()}"  # what a commit made visible stays as it is
    futures = [
        client.submit(
            quarantine_share,
            share,
            list(broken),
            f"{name}-{share.number:05}",
            known,
            table,
            drop_late=drop_late,
            pure=False,
        )
        for share in shares(sum(broken.values()))
    ]
    reports: list[Report] = client.gather(futures)
    return reduce(add, reports, NOTHING)


def known_before(tables: IncomingTables, consumed: Sequence[str], prefix: str, again: frozenset[str]) -> Known:
    """Return what came before.

    Args:
        tables: Of the rows.
        consumed: The night's source files.
        prefix: How the names of the night's files begin.
        again: Source files that have rows that are published already.
    """
    before, tonight = list[str](), list[str]()
    begun = tables.files.were_begun(consumed)
    for file in sorted(tables.quarantine.file_rows()):
        is_tonights = begun and posixpath.basename(file).startswith(prefix)
        (tonight if is_tonights else before).append(file)
    return Known(before, tonight, again)


def quarantine_share(
    share: Share, files: Sequence[str], name: str, known: Known, table: Table, *, drop_late: bool
) -> Report:
    """Write the broken rows of a share that are new to `quarantine`.

    Args:
        share: Which rows.
        files: URIs of the files that `tasks.validate.ranges` wrote.
        name: Of the file to write, without ending.
        known: What is in quarantine.
        table: `quarantine`.
        drop_late: Whether rows that only came too late are kept nowhere.
    """
    in_share = pl.col("row").hash() % share.of == share.number
    broken = pl.scan_parquet(list(files), glob=False).filter(in_share).collect().sort("source_file", "source_row")
    if broken.is_empty():
        return NOTHING
    kept = broken.filter(pl.col("rule") != LATE) if drop_late else broken
    new = _unknown(kept, known.before, known.again)
    fresh = _unknown(new, known.tonight, frozenset(broken["source_file"].unique()))
    rules_broken = Counter(dict(new["rule"].value_counts().iter_rows()))
    dropped = broken.height - kept.height
    return Report(
        late=rules_broken.pop(LATE, 0) + dropped,
        broken=rules_broken,
        examples=_examples(broken if drop_late else new),
        quarantined=tuple(table.write(fresh.to_arrow(compat_level=pl.CompatLevel.oldest()), name)),
        begun=new.height - fresh.height,
        dropped=dropped,
        repeats=kept.height - new.height,
    )


def _unknown(broken: pl.DataFrame, known: Sequence[str], again: frozenset[str]) -> pl.DataFrame:
    """Return the rows that ``known`` files of quarantine lack, whatever rule they broke.

    Broken rows often look alike: as many are known as are there, and only where their source file is one of ``again``
    or has rows there. A row that is only late says all of itself, and is known wherever it comes from.
    """
    if broken.is_empty() or not known:
        return broken
    quarantine = scan(known, QUARANTINE).select("row", "source_file")
    by_row, by_file = (
        quarantine.join(broken.lazy().select(on), on=on, how="semi").group_by(on).len("there")
        for on in ("row", "source_file")
    )
    there, files = pl.collect_all([by_row, by_file], engine="streaming")
    came_again = pl.col("source_file").is_in([*again, *files["source_file"]])
    may_be_known = came_again | (pl.col("rule") == LATE)
    counted = broken.join(there, on="row", how="left", maintain_order="left")
    is_known = pl.int_range(pl.len()).over("row", may_be_known) < pl.col("there").fill_null(0)
    return counted.filter(~(may_be_known & is_known)).drop("there")


def _examples(broken: pl.DataFrame) -> dict[str, str]:
    firsts = broken.unique("rule", keep="first", maintain_order=True)
    return {row["rule"]: _example(row) for row in firsts.iter_rows(named=True)}


def _example(row: Mapping[str, Any]) -> str:
    name = posixpath.basename(row["source_file"])
    return f"{name} row {row['source_row']:,}: {row['row'][:_EXAMPLE_LENGTH]}"
