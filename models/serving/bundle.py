"""What is shipped: one folder, written once, verified before any of it is read.

::

    bundle/
    ├── ...             what the use case writes: weights, config, tables; no pickle
    ├── bundle.json     where it comes from: `BundleRecord`
    ├── golden.json     made-up requests with the answers they got when the bundle was made
    └── manifest.json   sha256 of every other file

Errors of this module::

    BundleError
    ├── DamagedBundleError    files differ from the manifest; nothing was loaded
    └── GoldenAnswersError    it loads, but answers otherwise than when it was made
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_contracts.job import TablesAt, commit, read
from data_contracts.night import UseCaseName, Value
from models.use_case import Predictor, use_case

RECORD = "bundle.json"
GOLDEN = "golden.json"
MANIFEST = "manifest.json"

TOLERANCE = 1e-4
"""Largest difference between two numbers of a golden answer, absolute or relative: other machines round otherwise."""


class BundleError(Exception):
    """A bundle is not what it should be."""


class DamagedBundleError(BundleError):
    """Files are missing, changed or extra; the message lists every one."""


class GoldenAnswersError(BundleError):
    """Golden requests are answered otherwise than when the bundle was made."""


class BundleRecord(Value):
    """Where a bundle comes from."""

    use_case: UseCaseName
    run_id: str
    trained_through: str
    tables: TablesAt


class Manifest(Value):
    """Every file of a bundle but this one: path inside it to sha256, hexadecimal."""

    files: dict[str, str]


class Golden(Value):
    """Made-up requests, and the answers they got when the bundle was made; one object a row."""

    requests: tuple[dict[str, Any], ...]
    answers: tuple[dict[str, Any], ...]


def seal(folder: Path) -> None:
    """Write the manifest of everything in ``folder``. The last thing done to a bundle."""
    commit(Manifest(files=_digests(folder)), folder / MANIFEST)


def verify(folder: Path) -> None:
    """Check that ``folder`` holds exactly the files of its manifest.

    Raises:
        DamagedBundleError: A file is missing, changed or extra, or there is no readable manifest.
    """
    try:
        wanted = read(folder / MANIFEST, Manifest).files
    except (FileNotFoundError, ValueError) as error:
        raise DamagedBundleError(f"bundle {folder}: no readable {MANIFEST}: {error} Publish the run again.") from error
    seen = _digests(folder)
    problems = [f"{name!r}: missing" for name in wanted.keys() - seen.keys()]
    problems += [f"{name!r}: extra, not in the manifest" for name in seen.keys() - wanted.keys()]
    problems += [
        f"{name!r}: sha256 is {seen[name][:12]}…, wanted {wanted[name][:12]}…"
        for name in wanted.keys() & seen.keys()
        if seen[name] != wanted[name]
    ]
    if problems:
        listed = "\n  - ".join(sorted(problems))
        raise DamagedBundleError(
            f"bundle {folder}: {len(problems)} of {len(wanted)} files are not as published:\n  - {listed}\n"
            f"Nothing was loaded. Fetch it again, or publish the run again."
        )


def open_bundle(folder: Path) -> Predictor:
    """Verify a bundle, then load it.

    Raises:
        DamagedBundleError: It is not as published.
        FileNotFoundError: A table that it names is not there.
    """
    verify(folder)
    return use_case(read_record(folder).use_case).predictor(folder)


def read_record(folder: Path) -> BundleRecord:
    """Read where a bundle comes from."""
    return read(folder / RECORD, BundleRecord)


def write_golden(folder: Path, predictor: Predictor, requests: Sequence[Mapping[str, object]]) -> None:
    """Answer made-up requests, and keep both in the bundle."""
    golden = Golden(requests=tuple(dict(request) for request in requests), answers=tuple(_answers(predictor, requests)))
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
    seen = _answers(predictor, golden.requests)
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


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
