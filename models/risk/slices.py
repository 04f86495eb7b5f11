"""Parts of the judged transactions that have metrics of their own: by how well the parties are known, and by amount."""

from __future__ import annotations

import numpy as np

from models.risk.rows import INPUTS, Floats, Rows
from models.slices import Flags


def parts(judged: Rows, known: Rows) -> dict[str, Flags]:
    """Return name to the rows of ``judged`` in it, (B,).

    Of a transaction in ``new_parties`` one party, or both, did nothing before its day; ``strangers`` did, but nothing
    with each other; the others are ``acquainted``. Amounts are large above the median of those ``known``.
    """
    did = [_input(judged, f"{party}_gave_count") + _input(judged, f"{party}_got_count") for party in ("from", "to")]
    is_new = np.minimum(*did) == 0
    has_met = _input(judged, "again_count") + _input(judged, "back_count") > 0
    has_amount, before = _input(judged, "size_known") > 0, _input(known, "size")[_input(known, "size_known") > 0]
    is_large = _input(judged, "size") > (np.median(before) if len(before) else 0)
    return {
        "new_parties": is_new,
        "strangers": ~is_new & ~has_met,
        "acquainted": ~is_new & has_met,
        "small_amounts": has_amount & ~is_large,
        "large_amounts": has_amount & is_large,
        "unknown_amounts": ~has_amount,
    }


def _input(rows: Rows, name: str) -> Floats:
    column: Floats = rows.inputs[:, INPUTS.index(name)]
    return column
