"""Where raw logs lie, and how to read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from tasks.ingest.json_path import keys

Format = Literal["csv", "jsonl", "parquet", "sequences"]
TimeUnit = Literal["s", "ms", "us", "ns", "iso"]


class SourceConfig(BaseModel, frozen=True, extra="forbid"):
    """One source of raw logs. Checked before anything is opened."""

    uri: str = Field(
        "",
        description="A file, a folder or a glob; local, or any URI that fsspec opens. "
        "Names ending in .gz, .bz2, .zst or .lz4 are read as compressed.",
    )
    format: Format = Field(
        "csv",
        description="`csv` and `jsonl` have one event a line, `parquet` one a row; `sequences` has lines "
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
        "For `jsonl` also a path to one value, `$.user.id`, `$.items[0].id`. Other columns of the source are ignored.",
    )
    defaults: dict[str, str] = Field(
        {"event": "view"},
        description="Contract column to the value it takes where the source has none. Not used for a column that is "
        "named in `columns`: there, nothing means missing.",
    )
    time_unit: TimeUnit = Field(
        "iso",
        description="Of times given as numbers, since 1970-01-01 UTC; `iso` for ISO 8601 (UTC where no zone is given) "
        "and for Parquet's own timestamps.",
    )
    accept_changes: bool = Field(
        False,
        description="Accept that columns which are read are missing, narrower or of another kind than in the files "
        "before. For one night, when it is meant.",
    )

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
                for name in ("columns", "time_unit", "accept_changes")
                if name in self.model_fields_set
            ]
        problems += [
            f"{name!r} is both in columns and in defaults: drop one"
            for name in self.columns
            if "defaults" in self.model_fields_set and name in self.defaults
        ]
        if self.format == "jsonl":
            problems += [f"columns.{name}: {why}" for name, why in _refused_paths(self.columns)]
        if problems:
            raise ValueError(f"source.format is {self.format!r}, but " + "; ".join(problems) + ".")
        return self


def _refused_paths(columns: Mapping[str, str]) -> Iterator[tuple[str, ValueError]]:
    for name, column in columns.items():
        try:
            keys(column)
        except ValueError as error:
            yield name, error
