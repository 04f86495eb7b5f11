"""Where raw logs lie, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from tasks.ingest import json_path, pattern, zones

Format = Literal["csv", "jsonl", "parquet", "files", "sequences"]
TimeUnit = Literal["s", "ms", "us", "ns", "iso"]


class SourceConfig(BaseModel, frozen=True, extra="forbid"):
    """One source of raw logs. Checked before anything is opened."""

    uri: str | None = Field(
        None,
        pattern=r"\S",
        description="A file, a folder or a glob; local, or any URI that fsspec opens, archives too: "
        "`zip://*.csv::logs/*.zip`. Names ending in .gz, .bz2, .zst or .lz4 are read as compressed. Folders called "
        "`column=value` give a column.",
    )
    storage_options: dict[str, Any] = Field(
        {},
        description="For fsspec, where it opens `uri`: {anon: true}, or by protocol, {s3: {anon: true}}. No secrets: "
        "Prefect shows settings to whoever sees its runs; credentials belong into the environment of the workers.",
    )
    format: Format = Field(
        "csv",
        description="`csv` and `jsonl` have one event a line, `parquet` one a row; `files` are rows themselves, or "
        "archives (.tar, .zip) of such, with columns `bytes`, `name`, `folder` and `modified`; `sequences` has lines "
        "`user item item ...`, oldest first, without times.",
    )
    separator: str | None = Field(
        None, min_length=1, max_length=1, description="Between the fields of `csv`; a comma when omitted."
    )
    quoted: bool = Field(
        True, description='Fields of `csv` may stand in "quotes", and then hold separators and line breaks.'
    )
    columns: dict[str, str] = Field(
        {},
        description="Contract column to the source's: {user_id: reviewerID, ...}; the same name when omitted. "
        "For `jsonl` also a path to one value, `$.items[0].id`. Folders called `column=value` are columns, "
        "too, where a file has none of that name. Other columns of the source are ignored.",
    )
    defaults: dict[str, str] = Field(
        {},
        description="Contract column to the value it takes where the source has none; the use case's own when "
        "empty. Not used for a column that is named in `columns`: there, nothing means missing.",
    )
    time_unit: TimeUnit = Field(
        "iso",
        description="Of times given as numbers, since 1970-01-01 UTC; `iso` for ISO 8601 and for Parquet's own "
        "timestamps.",
    )
    time_format: str | None = Field(
        None,
        min_length=1,
        description="How other times are written, as for strptime: `%d/%m/%Y %H:%M:%S`, with `%z` where an offset "
        "stands there.",
    )
    time_zone: str = Field(
        "UTC",
        min_length=1,
        description="IANA name (Europe/Berlin) of the zone of times that say none. Of an hour that comes twice the "
        "first is meant (summer time); a time that is skipped cannot be read.",
    )
    accept_changes: bool = Field(
        False,
        description="Accept that columns which are read are missing, narrower, of another kind or written otherwise "
        "(ids `3.0` that were `3`) than in the files before. For one night, when it is meant.",
    )

    def with_defaults(self, defaults: Mapping[str, str]) -> Self:
        """Return this with a use case's own `defaults`, where none are set."""
        return self if self.defaults else self.model_copy(update={"defaults": dict(defaults)})

    @property
    def has_times(self) -> bool:
        """Whether events carry times. Without them there is only an order, for `protocol: leave_one_out`."""
        return self.format != "sequences"

    @model_validator(mode="after")
    def _says_nothing_that_would_be_ignored(self) -> Self:
        problems: list[str] = []
        if self.format != "csv":
            problems += [f"{name} is for csv" for name in ("separator", "quoted") if name in self.model_fields_set]
        if self.format == "sequences":
            problems += [
                f"{name} has no meaning: a line is `user item item ...`"
                for name in ("columns", "time_unit", "time_format", "time_zone")
                if name in self.model_fields_set
            ]
        problems += [
            f"{name!r} is both in columns and in defaults: drop one"
            for name in self.columns
            if "defaults" in self.model_fields_set and name in self.defaults
        ]
        if self.format == "files":
            problems += [
                f"{name} has no meaning: a file says when it was written"
                for name in ("time_unit", "time_format", "time_zone")
                if name in self.model_fields_set
            ]
        if self.format == "jsonl":
            refused = {name: json_path.problem_of(column) for name, column in self.columns.items()}
            problems += [f"columns.{name}: {why}" for name, why in refused.items() if why]
        if problems:
            raise ValueError(f"source.format is {self.format!r}, but " + "; ".join(problems) + ".")
        return self

    @model_validator(mode="after")
    def _rows_can_be_split(self) -> Self:
        separator = self.separator or ","
        if not separator.isascii() or separator in "\0\r\n" or (self.quoted and separator == '"'):
            raise ValueError(
                f"separator {separator!r} cannot stand between fields: wanted one character of ASCII that is no line "
                "break, no NUL and, unless source.quoted is false, no quote."
            )
        return self

    @model_validator(mode="after")
    def _times_can_be_read_as_they_say(self) -> Self:
        named = [name for name in ("time_format", "time_zone") if name in self.model_fields_set]
        if self.time_unit != "iso" and named:
            raise ValueError(f"{' and '.join(named)} would be ignored: time_unit {self.time_unit!r} is for numbers.")
        problems = [zones.problem_of(self.time_zone)]
        if self.time_format is not None:
            problems.append(pattern.problem_of(self.time_format))
            if "time_zone" in named and pattern.says_zone(self.time_format):
                problems.append(f"time_zone would be ignored: time_format {self.time_format!r} has the offset")
        if any(problems):
            raise ValueError("; ".join(filter(None, problems)) + ".")
        return self
