"""Where raw logs lie, and how to read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from data_contracts.promises import Inflow
from tasks.ingest import encodings, json_path
from tasks.ingest.config_columns import ColumnsConfig, Text
from tasks.ingest.config_times import TimesConfig

Format = Literal["csv", "jsonl", "parquet", "delta", "files", "sequences"]
PARQUET = ("parquet", "delta")
"""Formats whose files are Parquet."""


def _listed(uri: object) -> object:
    """Read a list that a variable or an option writes as JSON; ``[ab]*.csv`` is a glob, and ``a,b.csv`` a name."""
    if not isinstance(uri, str) or not uri.startswith("["):
        return uri
    try:
        return json.loads(uri)
    except ValueError:
        return uri


Uri = Annotated[str, Field(pattern=r"\S")]
Uris = Annotated[Uri | Annotated[tuple[Uri, ...], Field(min_length=1)] | None, NoDecode, BeforeValidator(_listed)]


class SourceConfig(ColumnsConfig, TimesConfig, frozen=True, extra="forbid"):
    """One source of raw logs. Checked before anything is opened.

    Attributes:
        of: What comes from it, and so what these settings are called among all others.
    """

    of: ClassVar[Inflow] = "source"

    uri: Uris = Field(
        None,
        description="A file, a folder or a glob; local, or any URI that fsspec opens, archives too: "
        '`zip://*.csv::logs/*.zip`. Or a list of them, `["logs/2025", "logs/2026/*.csv"]`: their files are taken in '
        "this order, each once. Names ending in .gz, .bz2, .zst or .lz4 are read as compressed. Folders called "
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
        "`user item item ...`, oldest first, without times. `delta`: `uri` is the folder of a Delta table on this "
        "machine, and the data files of its newest version are taken, each once. Rows that are compacted come again in "
        "other files, and are dropped as repeats; rows that are updated come as further rows, and rows that are "
        "deleted stay taken.",
    )
    separator: str | None = Field(
        None, min_length=1, max_length=1, description="Between the fields of `csv`; a comma when omitted."
    )
    quoted: bool = Field(
        True, description='Fields of `csv` may stand in "quotes", and then hold separators and line breaks.'
    )
    header: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None,
        description="Names of the columns of `csv`, in their order, [who, what, stars, when], where no line of the "
        "file has them; the first line names them when omitted.",
    )
    encoding: str = Field(
        encodings.UTF_8,
        description="How the texts of `csv`, `jsonl` and `sequences` are written: a codec of Python, `latin-1`, "
        "`cp1252`, `utf-16`. A row with bytes that it does not know is broken.",
    )
    accept_changes: bool = Field(
        False,
        description="Accept that columns which are read are missing, narrower, of another kind or written otherwise "
        "(ids `3.0` that were `3`) than in the files before. For one night, when it is meant.",
    )

    def with_defaults(self, defaults: Mapping[str, str]) -> Self:
        """Return this with a use case's own `defaults`, where none are set."""
        return self if self.defaults else self.model_copy(update={"defaults": dict(defaults)})

    def named(self, setting: str) -> str:
        """Return the whole name of one of these settings, `source.uri`, for whoever is to mend it."""
        return f"{self.of}.{setting}"

    @property
    def has_times(self) -> bool:
        """Whether events carry times. Without them there is only an order, for `protocol: leave_one_out`."""
        return self.format != "sequences"

    def _said(self, *names: str) -> list[str]:
        """Return those of some settings that say something else than their defaults."""
        fields = type(self).model_fields
        return [name for name in sorted(names) if getattr(self, name) != fields[name].default]

    @model_validator(mode="after")
    def _says_nothing_that_would_be_ignored(self) -> Self:
        problems: list[str] = []
        if self.format != "csv":
            problems += [f"{name} is for csv" for name in self._said("separator", "quoted", "header")]
        if self.format in (*PARQUET, "files") and self._said("encoding"):
            problems.append("encoding has no meaning: its texts are UTF-8")
        if self.format == "delta" and self.arrival:
            problems.append("arrival has no meaning: a table that is compacted would give its rows other times")
        if self.format == "delta" and self.storage_options:
            problems.append("storage_options has no meaning: tables are read from this machine only")
        if self.format == "sequences":
            told = self._said(*ColumnsConfig.model_fields.keys() - {"defaults"}, *TimesConfig.model_fields)
            problems += [f"{name} has no meaning: a line is `user item item ...`" for name in told]
        if self.format == "files":
            told = self._said("time_unit", "time_format", "time_zone")
            problems += [f"{name} has no meaning: a file says when it was written" for name in told]
        if self.format == "jsonl":
            mapped = [(f"columns.{name}", each) for name, each in self.columns.items() if isinstance(each, str)]
            read = [*mapped, *((name, each) for each, name in self.helpers.items())]
            problems += [f"{name}: {why}" for name, each in read if (why := json_path.problem_of(each))]
        if problems:
            raise ValueError(f"format is {self.format!r}, but " + "; ".join(problems) + ".")
        return self

    @model_validator(mode="after")
    def _rows_can_be_split(self) -> Self:
        separator = self.separator or ","
        if not separator.isascii() or separator in "\0\r\n" or (self.quoted and separator == '"'):
            raise ValueError(
                f"separator {separator!r} cannot stand between fields: wanted one character of ASCII that is no line "
                "break, no NUL and, unless quoted is false, no quote."
            )
        names = self.header or ()
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"header names {', '.join(map(repr, twice))} more than once.")
        if problem := encodings.problem_of(self.encoding):
            raise ValueError(f"{problem}.")
        return self

    @model_validator(mode="after")
    def _times_can_be_read_as_they_say(self) -> Self:
        self.refuse_times()
        return self


class LabelSourceConfig(SourceConfig, frozen=True, extra="forbid"):
    """The source of labels that come later, by themselves."""

    of: ClassVar[Inflow] = "labels"
