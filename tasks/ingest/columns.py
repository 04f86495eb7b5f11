"""Which source column becomes which contract column."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError

TEXT = "string"
"""Type of every column of text; of ids `tasks.ingest.observed` knows more."""


def mapping(schema: pa.Schema, source: SourceConfig, available: Sequence[str] | None) -> dict[str, str]:
    """Return contract column to source column, for those that the source has; each is read once.

    Args:
        schema: The columns wanted.
        source: Names and defaults.
        available: Columns of the file; None when a file does not name them at its head (JSON Lines).

    Raises:
        WrongColumnError: A column is needed and not there, stands there twice, is no column of the contract, is to
            become two of its columns, has a default that breaks the contract, or takes its default beside a column that
            almost has its name; all of them are listed.
    """
    problems = [
        f"{name!r} is no column of the contract, which has {schema.names}"
        for name in sorted({*source.columns, *(source.defaults if "defaults" in source.model_fields_set else ())})
        if name not in schema.names
    ]
    problems += [
        f"{field.name} {why}"
        for field in schema
        if field.name in source.defaults and (why := _why_no_default(field.type, source.defaults[field.name]))
    ]
    named = Counter(name for column, name in source.columns.items() if column in schema.names)
    problems += [f"column {name!r} is to become {count} columns" for name, count in named.items() if count > 1]
    found: dict[str, str] = {}
    for field in schema:
        name = source.columns.get(field.name, field.name)
        is_taken = field.name not in source.columns and name in named
        if (available is None or name in available) and not is_taken:
            found[field.name] = name
            if available is not None and available.count(name) > 1:
                problems.append(f"{field.name} is read from column {name!r}, which stands there more than once")
        elif not is_optional(field, source):
            why = "is another column by source.columns" if is_taken else "is not there"
            problems.append(f"{field.name} is read from column {name!r}, which {why}")
        elif field.name in source.defaults:
            problems += near(field.name, [each for each in available or () if each not in named])
    if problems:
        seen = "" if available is None else f"; the file has {sorted(available)}"
        raise WrongColumnError("; ".join(problems) + seen + ". Set source.columns.")
    return found


def near(name: str, available: Iterable[str]) -> list[str]:
    """Say which columns may be meant where a default would stand in for ``name``: those that almost have its name."""
    return [
        f"{name} would be its default in every row, but there is a column {each!r}: is {{{name}: {each!r}}} meant? If "
        "not, rename it"
        for each in available
        if each != name and each.strip().casefold() == name.casefold()
    ]


def _why_no_default(kind: pa.DataType, default: str) -> str:
    """Say why no row could keep its contract by a default; empty when it could."""
    if pa.types.is_timestamp(kind):
        return "is a time, and takes no default: drop it from source.defaults"
    if pa.types.is_binary(kind):
        return "is bytes, and takes no default: drop it from source.defaults"
    if pa.types.is_string(kind):
        return "" if default.strip() else f"would be {default!r} by default, which is nothing: mend source.defaults"
    try:
        is_number = math.isfinite(pa.scalar(default).cast(kind).as_py())
    except pa.ArrowInvalid:
        is_number = False
    return "" if is_number else f"would be {default!r} by default, wanted a number: mend source.defaults"


def is_optional(field: pa.Field, source: SourceConfig) -> bool:
    """Whether a source may be without this column of the contract."""
    return field.name not in source.columns and (field.nullable or field.name in source.defaults)


def described(schema: pa.Schema) -> dict[str, str]:
    """Return source column to the name of its type: the same for types that differ only in how they are stored."""
    return {field.name: _kind(field.type) for field in schema}


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.unit}{', UTC' if kind.tz else ''}]"
    if pa.types.is_date(kind):
        return "date"
    return str(kind).removeprefix("large_").removesuffix("_view")
