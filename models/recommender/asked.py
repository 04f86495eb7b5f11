"""Requests, read: what was asked, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from data_contracts.contract import SchemaMismatchError
from data_contracts.recommender.requests import DEFAULT_K, MAX_HISTORY, MAX_K, REQUESTS
from models.recommender.histories import Seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Request(NamedTuple):
    """One row of `data_contracts.recommender.requests`, in order.

    Attributes:
        user_id: A user of the logs, or None.
        history: Item ids, oldest first, if there is no ``user_id``.
        second: When each of them was met; zeros, all at once, where the request does not say.
        k: Items wanted.
    """

    user_id: str | None
    history: list[str]
    second: Seconds
    k: int


def read_requests(requests: pa.Table) -> list[Request]:
    """Read every row.

    Raises:
        ValueError: Requests are not to the contract; the message lists every one with its row.
    """
    try:
        rows: list[dict[str, Any]] = REQUESTS.conform(REQUESTS.filled(requests)).to_pylist()
    except SchemaMismatchError as error:
        raise ValueError(str(error)) from error
    read: list[Request] = []
    problems: list[str] = []
    for number, row in enumerate(rows):
        problems += [f"request {number}: {problem}" for problem in _problems(row)]
        history, times = row["history"] or [], row["times"] or []
        second = np.zeros(len(history), np.int64)
        if len(times) == len(history) <= MAX_HISTORY:
            try:
                second = _seconds(times)
            except ValueError as error:
                problems.append(f"request {number}: {error}")
        read.append(Request(row["user_id"], history, second, row["k"] or DEFAULT_K))
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return read


def _problems(request: dict[str, Any]) -> Iterator[str]:
    user_id, history, times, k = (request[name] for name in ("user_id", "history", "times", "k"))
    if (user_id is None) == (history is None):
        yield f"{'neither' if user_id is None else 'both'} of user_id and history, wanted one of them"
    if history and None in history:
        yield "a null in history, wanted item ids"
    if history and len(history) > MAX_HISTORY:
        yield f"history holds {len(history):,} items, wanted {MAX_HISTORY:,} at most: send the newest"
    if times and history is None:
        yield "times without a history: leave them out, the logs know a user's"
    if times and history is not None and len(times) != len(history):
        yield f"{len(times):,} times, wanted one for each of {len(history):,} items in history"
    if k is not None and not 1 <= k <= MAX_K:
        yield f"k is {k:,}, wanted 1 to {MAX_K:,}"


def _seconds(times: list[str | None]) -> Seconds:
    """Return whole seconds since 1970.

    Raises:
        ValueError: A time is none, or they do not ascend; the message says which.
    """
    moments = [_moment(place, text) for place, text in enumerate(times)]
    for place, (before, after) in enumerate(pairwise(moments), start=1):
        if after < before:
            raise ValueError(f"times[{place}] is {times[place]!r:.40}, before the one ahead of it; wanted oldest first")
    return np.array([(moment - EPOCH) // SECOND for moment in moments], np.int64)


def _moment(place: int, text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise ValueError(f"times[{place}] is {text!r:.40}, wanted ISO 8601, say 2026-01-08T09:30:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
