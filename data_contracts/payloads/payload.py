"""Payloads: what a column of bytes holds (a file of some kind), and all that may be wrong with it.

A payload that breaks a limit goes to quarantine with a rule that names the limit and its number. Rules cannot look into
bytes: they are shown what is wrong instead, so each payload is judged once, whatever the number of rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from data_contracts.rules import Rule, none_of
from data_contracts.staging import MAX_BYTES

FINE = "as promised"
"""What rules are shown of a payload that has nothing wrong with it."""


class Payload(NamedTuple):
    """One kind of payload, with its limits.

    Attributes:
        problems: All that may be wrong with one: the names of the rules that it breaks.
        problem_of: Returns the first of these that is wrong, None where nothing is. It raises nothing, whatever the
            bytes.
    """

    problems: tuple[str, ...]
    problem_of: Callable[[bytes], str | None]


def judged(column: pa.ChunkedArray, payload: Payload) -> pa.Array:
    """Return what is wrong with each payload, one of its problems or `FINE`; null where there is none.

    One at a time is copied out of the table, and decoded.
    """
    seen = (None if value is None else payload.problem_of(value) or FINE for value in map(_own, column))
    return pa.array(seen, pa.string(), size=len(column))


def rules(column: str, payload: Payload) -> list[Rule]:
    """Return one rule for each thing that may be wrong; a row without a payload breaks none of them.

    Args:
        column: What the rules look at, see `judged`.
        payload: Judged there.
    """
    return [none_of(column, [problem], problem) for problem in payload.problems]


def refuse_vain_limit(max_bytes: int) -> None:
    """See that a limit on bytes is one that can be reached.

    Raises:
        ValueError: Ingest reads no value that is as long.
    """
    if not 0 < max_bytes <= MAX_BYTES:
        raise ValueError(f"max_bytes is {max_bytes:,}, wanted 1 to {MAX_BYTES:,}: ingest reads no longer value.")


def _own(value: pa.Scalar) -> bytes | None:
    found: bytes | None = value.as_py()
    return found
