"""Requests, read: what was asked, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

import pyarrow as pa

from data_contracts.contract import SchemaMismatchError
from data_contracts.recommender.requests import DEFAULT_K, MAX_HISTORY, MAX_K, REQUESTS


class Request(NamedTuple):
    """One row of `data_contracts.recommender.requests`, in order.

    Attributes:
        user_id: A user of the logs, or None.
        history: Item ids, oldest first, if there is no ``user_id``.
        second: When each of them was met; all at once where the request does not say.
        k: Items wanted.
    """

    user_id: str | None
    history: list[str]
    second: list[int]
    k: int


def read(requests: pa.Table) -> list[Request]:
    """Read every row.

    Raises:
        ValueError: Requests are not to the contract; the message lists every one with its row.
    """
    unknown = [name for name in requests.column_names if name not in REQUESTS.schema.names]
    if unknown:
        raise ValueError(f"columns {unknown}: unknown, wanted some of {REQUESTS.schema.names}.")
    for field in REQUESTS.schema:
        if field.name not in requests.column_names:
            requests = requests.append_column(field, pa.nulls(requests.num_rows, field.type))
    try:
        rows: list[dict[str, Any]] = REQUESTS.conform(requests).to_pylist()
    except SchemaMismatchError as error:
        raise ValueError(str(error)) from error
    problems = [f"request {row}: {problem}" for row, request in enumerate(rows) for problem in _problems(**request)]
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return [_read(**row) for row in rows]


def _read(user_id: str | None, history: list[str] | None, times: list[str] | None, k: int | None) -> Request:
    items = history or []
    second = [0] * len(items) if times is None else [int(_time(time).timestamp()) for time in times]
    return Request(user_id, items, second, DEFAULT_K if k is None else k)


def _problems(
    user_id: str | None, history: list[str | None] | None, times: list[str | None] | None, k: int | None
) -> Iterator[str]:
    if (user_id is None) == (history is None):
        yield f"{'neither' if user_id is None else 'both'} of user_id and history, wanted one of them"
    if history is not None and None in history:
        yield "a null in history, wanted item ids"
    if history is not None and len(history) > MAX_HISTORY:
        yield f"history holds {len(history):,} items, wanted {MAX_HISTORY:,} at most: send the newest"
    if times is not None:
        yield from _problems_of_times(times, len(history or ()))
    if k is not None and not 1 <= k <= MAX_K:
        yield f"k is {k:,}, wanted 1 to {MAX_K:,}"


def _problems_of_times(times: list[str | None], wanted: int) -> Iterator[str]:
    if len(times) != wanted:
        yield f"{len(times):,} times, wanted one for each of {wanted:,} items in history"
    try:
        known = [_time(time) for time in times]
    except ValueError as error:
        yield str(error)
        return
    for place, (before, after) in enumerate(pairwise(known), start=1):
        if after < before:
            yield f"times[{place}] is {times[place]}, before the one ahead of it; wanted oldest first"
            return


def _time(text: str | None) -> datetime:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise ValueError(f"{text!r:.40} in times, wanted ISO 8601, say 2026-01-08T09:30:00Z") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
