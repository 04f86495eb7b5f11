"""What a row must be tonight, and how much may be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from data_contracts.promises import Inflow, Promises
from data_contracts.staging import MAX_TEXT_BYTES, texts
from tasks.validate.table_rules import TableRuleKind, TableRules


class ValidationConfig(BaseModel, frozen=True, extra="forbid"):
    """What is accepted, what goes to quarantine, and when the night stops."""

    max_quarantined: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the night's new rows that may break a rule; above it, and when all of them do, nothing "
        "is published. Rows that only come too late are not counted.",
    )
    first_day: date = Field(date(1995, 1, 1), description="No row can be of a day before this day.")
    late_days: NonNegativeInt = Field(
        3, description="Rows up to this many days older than the window's first day are still accepted."
    )
    late: Literal["quarantine", "drop", "stop"] = Field(
        "quarantine",
        description="What becomes of older ones: `quarantine` keeps them aside, `drop` only counts them, `stop` "
        "publishes nothing.",
    )
    complete_day: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share of a usual day's rows (the median of four weeks) that a day must hold to end a window; "
        "a smaller one waits for the next day, of which it takes as large a share of its own.",
    )
    grace_hours: NonNegativeFloat = Field(
        0, description="Hours after a day's end in which it may not end a window yet: its last files are to come."
    )
    complete_marker: str | None = Field(
        None,
        min_length=1,
        description="A file that is there once a day is whole, instead of `complete_day`: its URI with the day as "
        "strftime writes it, `s3://logs/%Y-%m-%d/_SUCCESS`. It is looked for with the credentials of the environment, "
        "without `source.storage_options`.",
    )

    @model_validator(mode="after")
    def _says_once_when_a_day_is_whole(self) -> Self:
        if self.complete_marker is None:
            return self
        if "complete_day" in self.model_fields_set:
            raise ValueError("complete_day would be ignored: complete_marker says when a day is whole. Drop one.")
        if date(2026, 11, 22).strftime(self.complete_marker) == date(2027, 12, 23).strftime(self.complete_marker):
            raise ValueError(
                f"complete_marker {self.complete_marker!r} is one file for all days. Write the day into it: %Y-%m-%d."
            )
        return self

    allowed: dict[str, tuple[str, ...]] = Field(
        {}, description="Column of text to the values that it may have, `{event: [view, buy]}`; others break a rule."
    )
    max_id_bytes: PositiveInt = Field(
        256, le=MAX_TEXT_BYTES, description="Longest id accepted, in bytes of UTF-8; at most what `ingest` reads."
    )
    volume_change: PositiveFloat = Field(
        0.5,
        description="Warn when the window's rows a day differ from the median day of the four weeks before it by more "
        "than this share.",
    )
    table: TableRules = Field(
        TableRules(), description="What all rows that a night takes of `source` must be together."
    )
    labels_table: TableRules = Field(TableRules(), description="The same of those that it takes of `labels`.")
    stop_on: tuple[TableRuleKind, ...] = Field(
        ("distinct", "quantiles", "drift"),
        description="For which of `volume`, `distinct`, `quantiles` and `drift` a night stops; of the others it only "
        "warns. So it does of the volume until seven windows are in the tables, and of drift until seven nights are "
        "remembered.",
    )

    def table_rules(self, of: Inflow) -> TableRules:
        """Return what all rows of a night must be together."""
        return self.table if of == "source" else self.labels_table

    def problems(self, promised: Promises, *, labels_come: bool) -> Iterator[str]:
        """Say what cannot be asked of a use case's rows.

        Args:
            promised: By the use case.
            labels_come: Whether labels come from a source of their own.
        """
        columns = texts(promised.truth)
        if unknown := sorted(self.allowed.keys() - set(columns)):
            said = f"{', '.join(unknown)}, and the columns of text are {', '.join(columns)}"
            yield f"validation.allowed names {said}"
        yield from self.table.problems("validation.table", promised.truth, promised.subject)
        if labels_come and promised.labels is not None:
            yield from self.labels_table.problems("validation.labels_table", promised.labels.contract, promised.subject)
        elif self.labels_table != TableRules():
            yield "validation.labels_table is set, and no labels come from a source of their own: drop it"
