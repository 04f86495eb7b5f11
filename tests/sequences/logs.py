"""Raw logs as a night ought to read them, and their bytes in every format: what is odd, repeated, broken or damaged."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.config import SourceConfig

Format = Literal["csv", "jsonl", "parquet"]
Damage = Literal["", "wrong columns", "cut off"]

COLUMNS = ("user_id", "item_id", "event", "timestamp", "value")
MALFORMED = {"wrong number of columns": "a,b", "not JSON": '{"user_id": "a'}


class Line(NamedTuple):
    """One row as it ought to be read. Two that are equal are repeats, where they say who, what and when.

    Attributes:
        problem: What cannot be read, if anything; the row is then known by its text.
        text: The one value that cannot be read, or the whole line.
    """

    user_id: str | None
    item_id: str | None
    event: str
    timestamp: datetime | None
    value: float | None
    problem: str | None = None
    text: str = ""


class File(NamedTuple):
    """One file of raw logs.

    Attributes:
        name: Its name in the folder.
        lines: Its rows.
        generation: Grows whenever any file is written: its time of change.
        damage: What makes it no file of its format.
    """

    name: str
    lines: tuple[Line, ...]
    generation: int
    damage: Damage = ""

    @property
    def key(self) -> tuple[str, int]:
        """What it is remembered by once it is consumed."""
        return self.name, self.generation


def source(folder: Path, kind: Format) -> SourceConfig:
    """Return where the logs lie and how to read them."""
    return SourceConfig(uri=str(folder), format=kind)


def write(folder: Path, file: File, kind: Format) -> None:
    """Write ``file``. The same row looks different in different places, where its format allows."""
    content = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[kind](file)
    if file.name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    if file.damage == "cut off":
        content = content[: len(content) * 2 // 3]
    path = folder / file.name
    path.write_bytes(content)
    os.utime(path, (file.generation, file.generation))


def _names(file: File) -> tuple[str, ...]:
    return ("who", *COLUMNS[1:]) if file.damage == "wrong columns" else COLUMNS


def _csv(file: File) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_names(file))
    for row, line in enumerate(file.lines):
        if line.problem in MALFORMED:
            text.write(line.text + "\n")
        else:
            writer.writerow(_fields(line, row))
    return text.getvalue().encode()


def _jsonl(file: File) -> bytes:
    return "\n".join([*(json_line(line, row, _names(file)) for row, line in enumerate(file.lines)), ""]).encode()


def json_line(line: Line, row: int, names: Sequence[str] = COLUMNS) -> str:
    """Write a row of JSON as it is written in row ``row``."""
    if line.problem in MALFORMED:
        return line.text
    return json.dumps(dict(zip(names, _fields(line, row), strict=True)), ensure_ascii=bool(row % 2))


def _fields(line: Line, row: int) -> list[str]:
    way = 0 if line.problem else row
    is_default = line.event == "view" and way % 2
    value = "" if line.value is None else str(line.value)
    texts = {"timestamp unparseable": 3, "value unparseable": 4}
    fields = [
        line.user_id or "",
        line.item_id or "",
        "" if is_default else line.event,
        _time(line.timestamp, way),
        value,
    ]
    if line.problem:
        fields[texts[line.problem]] = line.text
    return fields


def _time(moment: datetime | None, way: int) -> str:
    if moment is None:
        return ""
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    return (
        moment.isoformat(),
        moment.replace(tzinfo=None).isoformat(" "),
        moment.isoformat().replace("+00:00", "Z"),
        moment.astimezone(elsewhere).isoformat(timespec="microseconds"),
    )[way % 4]


def _parquet(file: File) -> bytes:
    columns: Sequence[Sequence[object]] = list(zip(*(line[:5] for line in file.lines), strict=True))
    types = (pa.string(), pa.string(), pa.string(), pa.timestamp("us", tz="UTC"), pa.float64())
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(_names(file))), out)
    return out.getvalue()
