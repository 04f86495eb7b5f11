"""The rows of a night: transactions that came, and those of older files that became labelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from data_contracts.days import days_of
from data_contracts.reading import scan
from data_contracts.risk.promises import LATER
from data_contracts.risk.transactions import TRANSACTIONS
from tasks.preprocess.labels import KNOWN_AT, Due, known, labelled


def transactions(files: Sequence[str], day_zone: str) -> pl.LazyFrame:
    """Read files of table `transactions`, with the ``day`` on which each row happened."""
    return scan(files, TRANSACTIONS).with_columns(day=days_of(pl.col("happened_at"), day_zone))


def told(due: Sequence[Due], day_zone: str, *, waits: bool) -> pl.DataFrame:
    """Read what no night has done yet.

    Args:
        due: At least one file.
        day_zone: Zone whose days are counted.
        waits: Whether rows without a label wait for one; else they are done as they came.

    Returns:
        The table's columns, with labels wherever they came from; ``day``; ``is_new``, whether no night took the row
        before; `KNOWN_AT`, `IS_DISPUTED`; ``known_day``, on which it was known how it turned out, null as long as it
        waits.
    """
    alike: defaultdict[Due, list[str]] = defaultdict(list)
    for each in due:
        alike[each._replace(file="", rows=0)].append(each.file)
    rows = pl.concat(_told(files, like, day_zone) for like, files in alike.items())
    known_day = days_of(pl.col(KNOWN_AT), day_zone)
    return rows.with_columns(known_day=known_day if waits else pl.coalesce(known_day, "day"))


def _told(files: Sequence[str], like: Due, day_zone: str) -> pl.DataFrame:
    """Read files that the same labels may be of."""
    rows = transactions(files, day_zone).collect()
    return labelled(rows, known(like, LATER), like, LATER, "happened_at").with_columns(is_new=pl.lit(like.is_new))
