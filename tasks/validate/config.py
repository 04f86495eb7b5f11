"""What an event must be tonight, and how much may be wrong."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt

from data_contracts.staging import MAX_TEXT_BYTES


class ValidationConfig(BaseModel, frozen=True, extra="forbid"):
    """What is accepted, what goes to quarantine, and when the night stops."""

    max_quarantined: float = Field(
        0.01, ge=0, le=1, description="Share of the night's rows that may break a rule; above it nothing is published."
    )
    first_day: date = Field(date(1995, 1, 1), description="No event can have happened before this day, UTC.")
    late_days: NonNegativeInt = Field(
        3, description="Events up to this many days older than the window's first day are still accepted."
    )
    kinds: tuple[str, ...] = Field((), description="Known kinds of event; empty accepts every kind.")
    max_id_bytes: PositiveInt = Field(
        256, le=MAX_TEXT_BYTES, description="Longest id accepted, in bytes of UTF-8; at most what `ingest` reads."
    )
    volume_change: PositiveFloat = Field(
        0.5,
        description="Warn when the window's rows a day differ from the median day of the four weeks before it by more "
        "than this share.",
    )
    stop_on_volume: bool = Field(
        False, description="Stop instead of warning; only once seven windows are in the tables, before that it warns."
    )
