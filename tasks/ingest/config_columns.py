"""Which column of a source becomes which of the contract, and which rows are taken."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from tasks.ingest import expressions

Text = Annotated[str, Field(coerce_numbers_to_str=True)]
"""A text; in YAML it may stand as a number."""


class ColumnsConfig(BaseModel, frozen=True, extra="forbid"):
    """What is taken of a source's rows."""

    columns: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {},
        description="Contract column to the source's: {user_id: reviewerID, ...}; the same name when omitted. "
        "For `jsonl` also a path to one value, `$.items[0].id`. Folders called `column=value` are columns, "
        "too, where a file has none of that name. A contract column that holds lists of numbers takes several, in "
        "their order, {numbers: [age, income]}: an empty one is null in the list. Other columns of the source are "
        "ignored.",
    )
    defaults: dict[str, str] = Field(
        {},
        description="Contract column to the value it takes where the source has none; the use case's own when "
        "empty. Not used for a column that is named in `columns` or `compute`: there, nothing means missing.",
    )
    where: str | None = Field(
        None,
        description="Condition in SQL over the source's columns, `event != 'bot' AND TRY_CAST(rating AS DOUBLE) >= 4`. "
        "Rows for which it is false are left out and counted; one that it cannot tell of (null), or that is broken, "
        "stays and meets its contract's rules. In `csv`, `jsonl` and folders every value is text, in `parquet` it has "
        "its type, moments are UTC. TRY_CAST gives null where CAST ends the night. Capital letters count in columns; "
        "one with blanks, one called as SQL calls something, and a path of `jsonl` stand in double quotes, "
        '"$.user.age".',
    )
    compute: dict[str, str] = Field(
        {},
        description="Contract column to an expression in SQL, as in `where`, over the source's columns of one row: "
        '{label: "CASE WHEN TRY_CAST(rating AS DOUBLE) < 0 THEN 1 ELSE 0 END", user_id: "f0 || \'_\' || f1"}. Its '
        "value is read as one of the source's: a time by `time_unit`, say. `||` is null where a part is missing, "
        "CONCAT leaves it out.",
    )
    values: dict[str, dict[Text, Annotated[Text, Field(pattern=r"\S")]]] = Field(
        {},
        description='Contract column of text to what its values become, {event: {"0": view, "1": click}}, defaults '
        "included; a value that is not named stays (see `validation.allowed`).",
    )

    @property
    def expressions(self) -> dict[str, str]:
        """Every expression by the setting that has it, for people."""
        where = {} if self.where is None else {"where": self.where}
        return where | {f"compute.{name}": text for name, text in self.compute.items()}

    @property
    def helpers(self) -> dict[str, str]:
        """Source columns that expressions and lists read to the setting that reads them, each once."""
        lists = {f"columns.{name}": part for name, part in self.columns.items() if isinstance(part, tuple)}
        of_expressions = ((name, expressions.reads(text)) for name, text in self.expressions.items())
        return {each: name for name, read in (*lists.items(), *of_expressions) for each in read}

    @model_validator(mode="after")
    def _columns_are_said_once_and_can_be_worked_out(self) -> Self:
        problems = [
            f"{name!r} is both in {said} and in {other}: drop one"
            for said, names in (("columns", self.columns), ("compute", self.compute))
            for other, others in (("defaults", self.defaults), ("compute", self.compute))
            if said != other and other in self.model_fields_set
            for name in names
            if name in others
        ]
        problems += [
            f"columns.{name} names {each!r} more than once"
            for name, parts in self.columns.items()
            if isinstance(parts, tuple)
            for each in sorted({part for part in parts if parts.count(part) > 1})
        ]
        problems += [
            f"{name}: {why}" for name, text in self.expressions.items() if (why := expressions.problem_of(text))
        ]
        if problems:
            raise ValueError("\n".join(f"{problem}." for problem in problems))
        return self
