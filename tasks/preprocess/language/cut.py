"""One file of table `documents`, read in pieces: its characters counted, its texts numbered. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_contracts.days import days_of
from data_contracts.language.documents import DOCUMENTS
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.spelling import Spelling, code_points, spelling, unmarked
from data_contracts.language.twins import bands
from data_contracts.reading import scan
from data_contracts.table import Part, Table
from tasks.preprocess.language.config import Tokens
from tasks.preprocess.language.numbering import Counted
from tasks.preprocess.plan import OfDay, Plan
from tasks.preprocess.write import write_checked

DOCUMENTS_AT_ONCE = 64
"""Texts that are in memory together: each may be a million characters."""
BYTES_OF_A_PART = 32 * 2**20
"""Text that one file of `examples` holds, about; it is in memory until it is written."""


class Order(NamedTuple):
    """What becomes of the documents of one file.

    Attributes:
        file: With them.
        rows: That it has.
        plan: Which window takes which day.
        day_zone: Zone whose days these are.
        folder: URI of the tables.
        name: Of the files to write, without ending and number.
        tokens: What texts are made to,
        symbols: and what has numbers, see `spelling`.
    """

    file: str
    rows: int
    plan: Plan
    day_zone: str
    folder: str
    name: str
    tokens: Tokens
    symbols: tuple[str, ...]


def count_characters(file: str, day_zone: str) -> Counted:
    """Count the documents and characters of a file by day."""
    found = Counted({}, {})
    for rows in pieces(file, day_zone):
        for (day,), own in rows.group_by("day"):
            assert isinstance(day, date)
            before = found.days.get(day, OfDay(0, 0))
            points = [code_points(text) for text in own["text"]]
            found.days[day] = OfDay(before.units + own.height, before.targets + sum(map(len, points)))
            seen = found.characters.setdefault(day, Counter())
            for each in points:
                seen.update(map(chr, np.unique(each).tolist()))
    return found


def cut_file(order: Order) -> list[Part]:
    """Write the documents of a file as examples; the same file gives the same parts."""
    parts: list[Part] = []
    held: list[pl.DataFrame] = []
    size, own = 0, spelling(order.tokens, order.symbols)
    for rows in pieces(order.file, order.day_zone):
        held.append(_numbered(rows, order, own))
        size += sum(map(len, rows["text"]))
        if size > BYTES_OF_A_PART:
            _write(held, order, parts)
            held, size = [], 0
    _write(held, order, parts)
    return parts


def pieces(file: str, day_zone: str) -> Iterator[pl.DataFrame]:
    """Yield ``text``, ``written_at`` and ``day`` of the documents of a file, `DOCUMENTS_AT_ONCE` at a time."""
    documents = scan([file], DOCUMENTS).select("text", "written_at", day=days_of(pl.col("written_at"), day_zone))
    for start in range(0, documents.select(pl.len()).collect().item(), DOCUMENTS_AT_ONCE):
        rows = documents.slice(start, DOCUMENTS_AT_ONCE).collect()
        yield rows.with_columns(text=pl.Series(map(unmarked, rows["text"]), dtype=pl.Binary))


def _numbered(rows: pl.DataFrame, order: Order, own: Spelling) -> pl.DataFrame:
    symbols: list[NDArray[np.int32]] = [own.numbers(text) for text in rows["text"]]
    return pl.DataFrame(
        {
            "symbols": pl.Series(symbols, dtype=pl.List(pl.Int32)),
            "characters": pl.Series([len(code_points(text)) for text in rows["text"]], dtype=pl.Int32),
            "bytes": pl.Series(list(map(len, rows["text"])), dtype=pl.Int32),
            "bands": pl.Series([bands(text) for text in rows["text"]], dtype=pl.List(pl.Int64)),
            "written_at": rows["written_at"],
            "window": [order.plan.of(day) for day in rows["day"]],
        },
        schema_overrides={"window": pl.String},
    )


def _write(held: list[pl.DataFrame], order: Order, parts: list[Part]) -> None:
    if held:
        name, through = f"{order.name}-{len(parts):03}", order.plan.window.last_day
        parts += write_checked(Table(order.folder, EXAMPLES), pl.concat(held), name, through, order.day_zone)
