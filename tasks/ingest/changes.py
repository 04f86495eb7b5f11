"""How the source's columns change from file to file and from night to night: what is recorded, what is refused."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from data_contracts.contract import DataContract
from data_contracts.staging import COLUMNS
from data_contracts.table import Table
from tasks.ingest.columns import TEXT, direct, is_optional, parts_of_texts
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import NOTHING_PUBLISHED, ChangedColumnError
from tasks.ingest.files import StagedFile
from tasks.ingest.folders import PATH
from tasks.ingest.observed import FRACTIONS, MIXED, WHOLE_NUMBERS

log = logging.getLogger(__name__)

_TIMES, _ZONED_TIMES = ([f"timestamp[{unit}{zone}]" for unit in ("s", "ms", "us", "ns")] for zone in ("", ", UTC"))
_WIDENING = (
    ("int8", "int16", "int32", "int64", "double"),
    ("uint8", "uint16", "uint32", "uint64", "double"),
    ("uint8", "int16", "int32", "int64"),
    ("uint16", "int32", "int64"),
    ("uint32", "int64"),
    ("int8", "int16", "float", "double"),
    ("uint8", "uint16", "float"),
    ("halffloat", "float", "double"),
    *(("date", *_TIMES[: zone + 1], *_ZONED_TIMES[zone:]) for zone in range(len(_TIMES))),
)
_WIDER = {pair for types in _WIDENING for pair in combinations(types, 2)}
_DECIMAL = re.compile(r"decimal\d+\((\d+), (-?\d+)\)")
_FORMS = (WHOLE_NUMBERS, FRACTIONS, MIXED)
_UNKNOWN = ("null", PATH)
_FILES_NAMED = 3

Span = tuple[str, str]
"""The narrowest and the widest type in which a column was taken: an old file may come again as it was."""


class Change(NamedTuple):
    """One column that is not what it was.

    Attributes:
        column: Of the source.
        how: ``new``, ``missing``, ``wider``, ``narrower``, ``of another kind`` or ``written otherwise``.
        before: Its widest type until then; empty when new.
        now: Its type in this file; empty when missing.
    """

    column: str
    how: str
    before: str
    now: str

    @property
    def is_harmless(self) -> bool:
        """Whether all that was read before is read as before."""
        return self.how in ("new", "wider")

    @property
    def is_written_anew(self) -> bool:
        """Whether a number becomes another text, 3 to 3.0, where texts are made of it."""
        return self.how == "wider" and self.before not in _UNKNOWN

    def __str__(self) -> str:
        types = " -> ".join(kind for kind in (self.before, self.now) if kind)
        return f"column {self.column!r} is {self.how} ({types})"


def agreed(
    files: Sequence[StagedFile], known: Mapping[str, Span], source: SourceConfig, contract: DataContract
) -> dict[str, Span]:
    """Compare each file's columns with those before it, and return what the next night is to know.

    A new or wider column is recorded, and so is any change of a column that is not read.

    Args:
        files: The night's, older before newer.
        known: Source column to types, from the last night; empty before the first.
        source: Which columns are read, and whether every change is meant.
        contract: Of the table that they are read for.

    Raises:
        ChangedColumnError: A column that is read is narrower than ever, of another kind, written otherwise or missing,
            or wider where texts are made of it; every one is listed. Of JSON Lines a column that may be empty may be
            missing, too, and is remembered: unless it was one of the path.
    """
    fields = {str(source.columns.get(field.name, field.name)): field for field in direct(contract, source)}
    may_be_empty = {name for name, field in fields.items() if is_optional(field, source)}.union(source.helpers)
    passing = may_be_empty if source.format == "jsonl" else set()
    read, parts = fields.keys() | source.helpers, parts_of_texts(contract, source)
    heads = list(_heads(files, source))
    columns = dict(known or {name: (kind, kind) for name, kind in heads[0][1].items()})
    accepted, refused = defaultdict[Change, list[StagedFile]](list), defaultdict[Change, list[StagedFile]](list)
    for file, own in heads:
        for change in _changes(columns, own):
            may_be_missing = change.how == "missing" and change.column in passing and change.before != PATH
            is_harmless = change.is_harmless and not (change.column in parts and change.is_written_anew)
            if change.column in read and not (source.accept_changes or is_harmless or may_be_missing):
                refused[change].append(file)
                continue
            accepted[change].append(file)
            if change.now:
                columns[change.column] = _span(columns.get(change.column), change)
        columns |= {name: (kind, kind) for name, kind in own.items() if kind in _FORMS and columns[name][1] == TEXT}
    for change, changed in accepted.items():
        log.info("%s: %s.", source.of.capitalize(), _described(change, changed))
    _refuse(refused, source)
    there = passing.union(*(own for _, own in heads))
    return {column: span for column, span in columns.items() if column in there}


def remembered(truth: Table) -> dict[str, Span]:
    """Return the columns of the night that came last into the truth; nothing before the first."""
    columns: dict[str, list[str]] = json.loads(truth.note(COLUMNS) or "{}")
    return {name: (narrowest, widest) for name, (narrowest, widest) in columns.items()}


def compared(before: str, now: str) -> str:
    """Say how type ``now`` differs, as in `Change`; empty when it does not.

    A column of nothing but nulls (type null) says nothing about what it holds, nor does a folder's. Of the forms of
    text only two exclude each other; a column may well hold both, or had no form remembered yet.
    """
    if now == before or now in _UNKNOWN:
        return ""
    if before in _UNKNOWN:
        return "wider"
    if {before, now} == {WHOLE_NUMBERS, FRACTIONS}:
        return "written otherwise"
    before, now = (TEXT if kind in _FORMS else kind for kind in (before, now))
    if before == now:
        return ""
    if _is_wider(before, now):
        return "wider"
    return "narrower" if _is_wider(now, before) else "of another kind"


def _is_wider(before: str, now: str) -> bool:
    decimals = [_DECIMAL.fullmatch(kind) for kind in (before, now)]
    if not all(decimals):
        return (before, now) in _WIDER
    (digits, fraction), (new_digits, new_fraction) = (map(int, found.groups()) for found in decimals if found)
    return new_fraction >= fraction and new_digits - new_fraction >= digits - fraction


def _heads(files: Sequence[StagedFile], source: SourceConfig) -> Iterator[tuple[StagedFile, Mapping[str, str]]]:
    """Give the columns of each file. JSON Lines have no head: there, one is missing when it is in no file at all."""
    anywhere = {name: "null" for file in files for name in file.columns} if source.format == "jsonl" else {}
    for file in files:
        yield file, anywhere | file.columns


def _changes(before: Mapping[str, Span], now: Mapping[str, str]) -> list[Change]:
    new = [Change(name, "new", "", now[name]) for name in now if name not in before]
    missing = [Change(name, "missing", before[name][1], "") for name in before if name not in now]
    other = [Change(name, _how(before[name], now[name]), before[name][1], now[name]) for name in now if name in before]
    return [*missing, *(change for change in other if change.how), *new]


def _how(span: Span, now: str) -> str:
    to_narrowest, to_widest = (compared(before, now) for before in span)
    is_between = to_narrowest in ("", "wider") and to_widest == "narrower"
    return "" if is_between else to_widest


def _span(before: Span | None, change: Change) -> Span:
    narrowest = before[0] if before and change.how == "wider" else "null"
    return change.now if narrowest in _UNKNOWN else narrowest, change.now


def _refuse(refused: Mapping[Change, Sequence[StagedFile]], source: SourceConfig) -> None:
    if refused:
        problems = "\n".join(f"  - {_described(change, files)}" for change, files in refused.items())
        raise ChangedColumnError(
            f"{len(refused):,} changes in columns that are read:\n{problems}\n{NOTHING_PUBLISHED} Mend the files or, "
            f"if this is meant, set {source.named('accept_changes')} to true for one night."
        )


def _described(change: Change, files: Sequence[StagedFile]) -> str:
    names = [file.source.name for file in files]
    more = f" and {len(names) - _FILES_NAMED:,} more files" if len(names) > _FILES_NAMED else ""
    example = f", e.g. {files[0].examples[change.column]!r}" if change.how == "written otherwise" else ""
    where = "from" if change.how == "missing" else "in"
    return f"{change}{example}, {where} {', '.join(names[:_FILES_NAMED])}{more}"
