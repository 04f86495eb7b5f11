"""What is shipped: one folder (`data_contracts.bundle`), written once, verified before any of it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_contracts.binary import with_bytes, without_bytes
from data_contracts.bundle import read_record
from data_contracts.job import commit, read
from data_contracts.manifest import verify
from data_contracts.night import Value
from models.use_case import Predictor, use_case

GOLDEN = "golden.json"

TOLERANCE = 1e-4
"""Largest difference between two numbers of a golden answer, absolute or relative: other machines round otherwise."""


class GoldenAnswersError(Exception):
    """Golden requests are answered otherwise than when the bundle was made."""


class Golden(Value):
    """Made-up requests, and the answers they got when the bundle was made; one object a row, as JSON has it."""

    requests: tuple[dict[str, Any], ...]
    answers: tuple[dict[str, Any], ...]


def open_bundle(folder: Path) -> Predictor:
    """Verify a bundle, then load it.

    Raises:
        BundleFormatError: Newer code made it.
        DamagedError: It is not as published.
        FileNotFoundError: A table that it names is not there.
    """
    verify(folder)
    return use_case(read_record(folder).use_case).predictor(folder)


def write_golden(folder: Path, predictor: Predictor, requests: Sequence[Mapping[str, object]]) -> None:
    """Answer made-up requests, and keep both in the bundle.

    Raises:
        ValueError: There is none, or an answer holds what no server could send.
    """
    if not requests:
        raise ValueError("a use case makes no golden requests: nobody could see whether a bundle answers as it did.")
    if odd := next((answer for answer in _answers(predictor, requests) if not _can_be_sent(answer)), None):
        raise ValueError(f"a golden answer holds a number that is none, or null: {odd!r:.200}. It cannot be served.")
    golden = Golden(requests=tuple(map(without_bytes, requests)), answers=tuple(_answers(predictor, requests)))
    commit(golden, folder / GOLDEN)


def read_golden(folder: Path) -> Golden:
    """Read the made-up requests and the answers they got."""
    return read(folder / GOLDEN, Golden)


def replay_golden(folder: Path, predictor: Predictor) -> int:
    """Ask the golden requests again, and return how many there were.

    Raises:
        GoldenAnswersError: An answer differs by more than `TOLERANCE`; the first differences are listed.
    """
    golden = read_golden(folder)
    seen = _answers(predictor, list(map(with_bytes, golden.requests)))
    differences = [
        f"request {request!r}: {answer!r}, wanted {wanted!r}"
        for request, answer, wanted in zip(golden.requests, seen, golden.answers, strict=True)
        if not _alike(answer, wanted)
    ]
    if differences:
        listed = "\n  - ".join(differences[:3])
        raise GoldenAnswersError(
            f"bundle {folder}: {len(differences)} of {len(seen)} golden requests are answered otherwise than when it "
            f"was made (tolerance {TOLERANCE}):\n  - {listed}\nCompare the versions of torch and of this code."
        )
    return len(seen)


def _can_be_sent(value: object) -> bool:
    match value:
        case dict():
            return all(map(_can_be_sent, value.values()))
        case list():
            return all(map(_can_be_sent, value))
        case float():
            return math.isfinite(value)
        case _:
            return value is not None


def _answers(predictor: Predictor, requests: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    asked = pa.Table.from_pylist([dict(request) for request in requests], schema=predictor.request_schema)
    answers: list[dict[str, Any]] = predictor.predict(asked).to_pylist()
    return answers


def _alike(seen: object, wanted: object) -> bool:
    """Whether two values of JSON are the same, numbers within `TOLERANCE`."""
    match seen, wanted:
        case dict(), dict():
            return seen.keys() == wanted.keys() and all(_alike(seen[key], wanted[key]) for key in wanted)
        case list(), list():
            return len(seen) == len(wanted) and all(map(_alike, seen, wanted))
        case int() | float(), int() | float():
            return abs(seen - wanted) <= TOLERANCE * max(1.0, abs(wanted))
        case _:
            return bool(seen == wanted)
