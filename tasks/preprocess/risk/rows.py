"""The rows of a night: transactions that came, and those of older files that became labelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import polars as pl

from data_contracts.days import days_of
from data_contracts.reading import scan
from data_contracts.risk.promises import LATER
from data_contracts.risk.transactions import TRANSACTIONS
from tasks.preprocess.labels import KNOWN_AT, Due, known, labelled


def transactions(files: Sequence[str], day_zone: str) -> pl.LazyFrame:
    """Read files of table `transactions`, with the ``day`` on which each row happened."""
    return scan(files, TRANSACTIONS).with_columns(day=days_of(pl.col("happened_at"), day_zone))


def told(due: Sequence[Due], day_zone: str, *, waits: bool) -> Iterator[pl.LazyFrame]:
    """Yield what no night has done yet, lazily: the rows of files that the same labels may be of, together.

    Args:
        due: Files.
        day_zone: Zone whose days are counted.
        waits: Whether rows without a label wait for one; else they are done as they came.

    Yields:
        The table's columns, with labels wherever they came from; ``day``; ``is_new``, whether no night took the row
        before; `KNOWN_AT`, `IS_DISPUTED`; ``known_day``, on which it was known how it turned out, null as long as it
        waits.
    """
    alike: defaultdict[Due, list[str]] = defaultdict(list)
    for each in due:
        alike[each._replace(file="", rows=0)].append(each.file)
    known_day = days_of(pl.col(KNOWN_AT), day_zone)
    for like, files in alike.items():
        rows = labelled(transactions(files, day_zone), known(like, LATER), like, LATER, "happened_at")
        yield rows.with_columns(
            is_new=pl.lit(like.is_new), known_day=known_day if waits else pl.coalesce(known_day, "day")
        )
