"""Settings of tidying and upkeep: what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt

from data_contracts.promises import Promises

LEAST_DAYS = 30
"""What was popular lately, and usual days, are counted over four weeks."""


class KeepConfig(BaseModel, frozen=True, extra="forbid"):
    """What is kept of nights gone by. Registered models and Data Docs always are."""

    runs: PositiveInt = Field(3, description="Folders of jobs (checkpoints, logs) kept, the night's own among them.")
    versions_days: PositiveInt = Field(
        30,
        description="For so many days `maintain` keeps files that only older versions of tables have. The versions "
        "that a registered model was made of stay readable for ever.",
    )
    days: dict[str, Annotated[int, Field(ge=LEAST_DAYS)]] = Field(
        {},
        description="Table of rows from outside to the days, back from the newest window's end, whose rows are kept: "
        "`{events: 400, quarantine: 90}`; all of them where a table is not named.",
    )
    file_mb: PositiveInt = Field(
        64, description="Small files of a table are put together into such of about this size."
    )

    def problems(self, promised: Promises) -> Iterator[str]:
        """Say which tables' days cannot be counted."""
        of_rows = {each.name for inflow in promised.incoming.values() for each in (inflow.kept, inflow.quarantine)}
        if unknown := sorted(self.days.keys() - of_rows):
            known = ", ".join(sorted(of_rows))
            yield f"keep.days names {', '.join(unknown)}, and tables of rows from outside are {known}"
