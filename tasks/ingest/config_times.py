"""How a source writes times, or that it has none."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from data_contracts.days import problem_of
from tasks.ingest import pattern

TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
Arrival = Literal["file", "order"]
MADE_UP: dict[Arrival, str] = {
    "file": "their times are those at which their files were last written, one moment for all rows of a file",
    "order": "their times are made up from positions: that at which their file was last written, and a us more for "
    "each row before",
}
"""What the times are of rows that say none, for people."""


class TimesConfig(BaseModel, frozen=True, extra="forbid"):
    """When a source's rows happened."""

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
    arrival: Arrival | None = Field(
        None,
        description="For rows that say no time: `file` takes the time at which their file was last written (of a file "
        "in an archive: the archive) for all of its rows. Which came first nobody knows then, and rows that are the "
        "same are repeats. `order`, the last resort, adds a us for each row before: for files whose rows stand in the "
        "order in which they happened, oldest first. A file that is written again comes again with all of its rows. "
        "Where folders say the day (`date=2026-01-01/`), map the time to them by `columns` instead.",
    )

    def refuse_times(self) -> None:
        """See that times can be read as they say, and that nothing is said in vain.

        Raises:
            ValueError: It is not so.
        """
        defaults = {name: TimesConfig.model_fields[name].default for name in ("time_unit", "time_format", "time_zone")}
        ignored = [name for name, default in defaults.items() if self.arrival and getattr(self, name) != default]
        if ignored:
            raise ValueError(f"{' and '.join(ignored)} would be ignored: arrival says when rows happened.")
        named = [name for name in ("time_format", "time_zone") if name in self.model_fields_set]
        if self.time_unit != "iso" and named:
            raise ValueError(f"{' and '.join(named)} would be ignored: time_unit {self.time_unit!r} is for numbers.")
        unknown = problem_of(self.time_zone)
        problems = [unknown and f"time_zone {unknown}"]
        if self.time_format is not None:
            problems.append(pattern.problem_of(self.time_format))
            if "time_zone" in named and pattern.says_zone(self.time_format):
                problems.append(f"time_zone would be ignored: time_format {self.time_format!r} has the offset")
        if any(problems):
            raise ValueError("; ".join(filter(None, problems)) + ".")
