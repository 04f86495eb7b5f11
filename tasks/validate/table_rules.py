"""What the night's rows must be together: the settings of it, checked against the columns that there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, Field, NonNegativeInt, model_validator

from data_contracts.contract import DataContract
from data_contracts.staging import incoming

TableRuleKind = Literal["volume", "distinct", "quantiles", "drift"]
"""What may be wrong with all rows of a night together, by the name of its setting."""


class Bounds(BaseModel, frozen=True, extra="forbid"):
    """Between what a number must lie, both ends allowed."""

    at_least: float | None = Field(None, description="Lowest number allowed; any when omitted.")
    at_most: float | None = Field(None, description="Highest number allowed; any when omitted.")

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        ends = [each for each in (self.at_least, self.at_most) if each is not None]
        if not ends:
            raise ValueError("says no bound. Give at_least, at_most or both.")
        if not all(map(math.isfinite, ends)) or ends != sorted(ends):
            raise ValueError(
                f"at_least {self.at_least} and at_most {self.at_most} allow nothing, or no end of them is a number. "
                "Leave out what is no bound."
            )
        return self


class CountBounds(Bounds, frozen=True):
    """Between what a count must lie."""

    at_least: NonNegativeInt | None = Field(None, description="Lowest count allowed; any when omitted.")
    at_most: NonNegativeInt | None = Field(None, description="Highest count allowed; any when omitted.")


class TableRules(BaseModel, frozen=True, extra="forbid"):
    """Rules about all rows that a night accepts, together. Nothing is computed of a column that is not named."""

    distinct: dict[str, CountBounds] = Field(
        {},
        description="Column of text or whole numbers to how many values it must have, `{town: {at_least: 100}}`; "
        "within 2.5 % once there are more than 1,500.",
    )
    quantiles: dict[str, dict[Annotated[float, Field(ge=0, le=1)], Bounds]] = Field(
        {},
        description="Column of numbers to quantiles, and between what each must lie, "
        "`{value: {0.5: {at_least: 1, at_most: 50}}}`; 0 is the smallest number and 1 the largest.",
    )
    drift: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(
        {},
        description="Column of text, whole numbers or booleans to the share of the rows that may have another value "
        "than in the seven nights before, `{event: 0.2}`: the total variation between both mixes.",
    )

    def problems(self, setting: str, contract: DataContract, subject: str = "") -> Iterator[str]:
        """Say what of it cannot be asked of a table.

        Args:
            setting: Name of these settings.
            contract: Of the table.
            subject: Column of people, if there is one: of its mix the log would have hashes of them, for ever.
        """
        columns = {field.name: field.type for field in incoming(contract)}
        for kind, (fits, said) in _TAKES.items():
            asked: Mapping[str, object] = getattr(self, kind)
            wrong = [f"{name!r} ({columns.get(name, 'no column')})" for name in asked if not _is(fits, columns, name)]
            if wrong:
                taken = ", ".join(name for name in columns if _is(fits, columns, name)) or "none"
                yield f"{setting}.{kind} names {', '.join(wrong)}, and is of {said}: in {contract.name!r} {taken}"
        if subject in self.drift:
            yield f"{setting}.drift names {subject!r}, and people may be forgotten: their mix is not remembered"
        for name in (name for name, asked in self.quantiles.items() if not asked):
            yield f"{setting}.quantiles.{name} names no quantile: 0.5 is the median"


def _is(fits: Callable[[pa.DataType], bool], columns: Mapping[str, pa.DataType], name: str) -> bool:
    return name in columns and fits(columns[name])


def _is_counted(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


_TAKES: Mapping[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "distinct": (_is_counted, "text and whole numbers"),
    "quantiles": (_is_number, "numbers"),
    "drift": (lambda kind: _is_counted(kind) or pa.types.is_boolean(kind), "text, whole numbers and booleans"),
}
