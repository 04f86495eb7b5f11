"""Moments that are all written alike, as most logs have them: ``2026-11-22T12:00:00Z``. Read together, digit by digit.

The first says how: where its digits stand, the others must have digits, and its own characters everywhere else.
"""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.ingest.zones import localised

_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<zone>Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_MICROSECONDS = 6
"""Digits of a fraction that count."""

Digits = NDArray[np.uint8]
"""Of each place of a text, what all texts have there: one row a place, one column a text."""


def read(texts: pl.Series, zone: str) -> pl.Series | None:
    """Return what `tasks.ingest.iso.read` does; None where one text is not like the others, or is no such moment.

    Args:
        texts: Strings, null where there is none.
        zone: IANA name of the zone of times that say none.
    """
    given = texts.drop_nulls()
    form = _FORM.fullmatch(given[0]) if given.len() else None
    if form is None or (given.str.len_bytes() != len(form[0])).any():
        return None
    data = given.to_arrow(compat_level=pl.CompatLevel.oldest())
    size, start = len(form[0]), data.offset * len(form[0])
    bytes_ = np.frombuffer(data.buffers()[2], np.uint8)[start : start + len(data) * size]
    digits = np.ascontiguousarray(bytes_.reshape(-1, size).T) - np.uint8(ord("0"))
    if not _are_alike(digits, form):
        return None
    moments = _moments(digits, form)
    if moments is None:
        return None
    whole = pl.Series("moment", moments).cast(pl.Datetime("us"))
    if given.len() < texts.len():
        is_given = texts.is_not_null()
        whole = whole.gather(pl.select(pl.when(is_given).then(is_given.cum_sum() - 1)).to_series())
    return whole.to_frame().select(localised(pl.col("moment"), "UTC" if form["zone"] else zone))["moment"]


def _are_alike(digits: Digits, form: re.Match[str]) -> bool:
    """Whether all texts have digits where the first has them, up to its zone, and are the same elsewhere."""
    fixed = form.start("zone") if form["zone"] else len(form[0])
    return all(
        bool((each < 10).all() if character.isdigit() and place < fixed else (each == each[0]).all())  # noqa: PLR2004
        for place, (character, each) in enumerate(zip(form[0], digits, strict=True))
    )


def _moments(digits: Digits, form: re.Match[str]) -> NDArray[np.int64] | None:
    """Return us since 1970, UTC if they say a zone; None where there is no such moment, or a leap second."""

    def number(first: int, end: int) -> NDArray[np.int64]:
        total = np.zeros(digits.shape[1], np.int64)
        for each in digits[first:end]:
            total = total * 10 + each
        return total

    months = (number(0, 4) - 1970) * 12 + number(5, 7) - 1
    day, hour, minute, second = number(8, 10), number(11, 13), number(14, 16), number(17, 19)
    days = months.astype("M8[M]").astype("M8[D]") + (day - 1)
    is_month = (number(5, 7) >= 1) & (number(5, 7) <= 12)  # noqa: PLR2004
    is_day = is_month & (number(0, 4) >= 1) & (day >= 1) & (days.astype("M8[M]") == months.astype("M8[M]"))
    if not (is_day & (hour < 24) & (minute < 60) & (second < 60)).all():  # noqa: PLR2004
        return None
    shown = (form["fraction"] or "")[:_MICROSECONDS]
    first = form.start("fraction")
    fraction = number(first, first + len(shown)) * 10 ** (_MICROSECONDS - len(shown)) if shown else 0
    seconds = days.astype(np.int64) * 86_400 + hour * 3_600 + minute * 60 + second
    moments: NDArray[np.int64] = (seconds - _ahead(form["zone"])) * 1_000_000 + fraction
    return moments


def _ahead(zone: str | None) -> int:
    """Return how many seconds a zone, ``Z`` or ``+05:30``, is ahead of UTC."""
    ahead = datetime.strptime(zone, "%z").utcoffset() if zone else None
    return int(ahead.total_seconds()) if ahead else 0
