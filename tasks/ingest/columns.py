"""Which source column becomes which contract column."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.staging import incoming, texts
from tasks.ingest import expressions
from tasks.ingest.config import SourceConfig
from tasks.ingest.errors import WrongColumnError
from tasks.ingest.raw import helper, shown

TEXT = "string"
"""Type of every column of text; of ids `tasks.ingest.observed` knows more."""
_WITHOUT_DEFAULT = {"a list": pa.types.is_list, "a time": pa.types.is_timestamp, "bytes": pa.types.is_binary}


def mapping(contract: DataContract, source: SourceConfig, available: Sequence[str] | None) -> dict[str, str]:
    """Return contract column to source column, for those that the source has; each is read once.

    A source column that only expressions or lists read stands under a name of its own, see `tasks.ingest.raw.helper`.

    Args:
        contract: Of the rows that are wanted.
        source: Names, expressions and defaults.
        available: Columns of the file; None when a file does not name them at its head (JSON Lines).

    Raises:
        WrongColumnError: A column is needed and not there, stands there twice, is no column of the contract, is to
            become two of its columns, has a default that breaks the contract, takes its default beside a column that
            almost has its name, or has values of its own and is no text; all of them are listed.
    """
    schema = incoming(contract)
    problems = [*_misfits(schema, source), *_contradictions(contract, source)]
    named = Counter(name for column, name in source.columns.items() if column in schema.names and isinstance(name, str))
    problems += [f"column {name!r} is to become {count} columns" for name, count in named.items() if count > 1]
    helpers = source.helpers
    found: dict[str, str] = {}
    for field in direct(contract, source):
        name = str(source.columns.get(field.name, field.name))
        is_taken = field.name not in source.columns and name in named
        if (available is None or name in available) and not is_taken:
            found[field.name] = name
        elif not is_optional(field, source):
            why = f"is another column by {source.named('columns')}" if is_taken else "is not there"
            problems.append(f"{field.name} is read from column {name!r}, which {why}")
        elif field.name in source.defaults:
            problems += near(field.name, [each for each in available or () if each not in {*named, *helpers}])
    for name, reader in helpers.items():
        if available is not None and name not in available:
            problems.append(f"{_said(reader, source)} reads column {name!r}, which is not there")
        elif name not in found.values():
            found[helper(name)] = name
    problems += [
        f"{shown(column)} is read from column {name!r}, which stands there more than once"
        for column, name in found.items()
        if available is not None and available.count(name) > 1
    ]
    if problems:
        seen = "" if available is None else f"; the file has {sorted(available)}"
        raise WrongColumnError("; ".join(problems) + f"{seen}. Set {source.named('columns')}.")
    return found


def direct(contract: DataContract, source: SourceConfig) -> list[pa.Field]:
    """Return the columns that one of the source's becomes as it is: no expression, list or arrival makes them."""
    made = {*source.compute, *([contract.time_column] if source.arrival else ())}
    return [
        field
        for field in incoming(contract)
        if field.name not in made and not isinstance(source.columns.get(field.name), tuple)
    ]


def parts_of_texts(contract: DataContract, source: SourceConfig) -> set[str]:
    """Return the source columns of which texts are computed: ids of several columns, say."""
    names = source.compute.keys() & texts(contract)
    return {each for name in names for each in expressions.reads(source.compute[name])}


def _said(reader: str, source: SourceConfig) -> str:
    """Name what reads a column, an expression with its text."""
    text = source.expressions.get(reader)
    return source.named(reader) if text is None else f"{source.named(reader)} {text!r}"


def _misfits(schema: pa.Schema, source: SourceConfig) -> Iterator[str]:
    """Say which settings name a column that the contract has not, or of another type than they can fill."""
    defaults = source.defaults if "defaults" in source.model_fields_set else ()
    for name in sorted({*source.columns, *source.compute, *source.values, *defaults}):
        if name not in schema.names:
            yield f"{name!r} is no column of the contract, which has {schema.names}"
    for field in schema:
        is_list = pa.types.is_list(field.type)
        if field.name in source.defaults and (why := _why_no_default(field, source)):
            yield f"{field.name} {why}"
        if field.name in source.values and not pa.types.is_string(field.type):
            yield f"{source.named('values')} names {field.name}, which is {field.type}; wanted a column of text"
        if isinstance(source.columns.get(field.name), tuple) and not (is_list and _is_number(field.type.value_type)):
            yield f"{field.name} is {field.type}, which several columns cannot become; wanted a list of numbers"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind))


def _contradictions(contract: DataContract, source: SourceConfig) -> Iterator[str]:
    """Say which settings say a time beside that of the file."""
    for setting, names in (("columns", source.columns), ("compute", source.compute)):
        if source.arrival and contract.time_column in names:
            arrival, said = source.named("arrival"), source.named(setting)
            yield f"{said} names {contract.time_column}, and {arrival} says when rows happened: drop one"


def near(name: str, available: Iterable[str]) -> list[str]:
    """Say which columns may be meant where a default would stand in for ``name``: those that almost have its name."""
    return [
        f"{name} would be its default in every row, but there is a column {each!r}: is {{{name}: {each!r}}} meant? If "
        "not, rename it"
        for each in available
        if each != name and each.strip().casefold() == name.casefold()
    ]


def _why_no_default(field: pa.Field, source: SourceConfig) -> str:
    """Say why no row could keep its contract by the column's default; empty when it could."""
    kind, default, setting = field.type, source.defaults[field.name], source.named("defaults")
    for what, is_such in _WITHOUT_DEFAULT.items():
        if is_such(kind):
            return f"is {what}, and takes no default: drop it from {setting}"
    if pa.types.is_string(kind):
        return "" if default.strip() else f"would be {default!r} by default, which is nothing: mend {setting}"
    try:
        is_number = math.isfinite(pa.scalar(default).cast(kind).as_py())
    except pa.ArrowInvalid:
        is_number = False
    return "" if is_number else f"would be {default!r} by default, wanted a number: mend {setting}"


def is_optional(field: pa.Field, source: SourceConfig) -> bool:
    """Whether a source may be without this column of the contract."""
    is_named = field.name in source.columns or field.name in source.compute
    return not is_named and (field.nullable or field.name in source.defaults)


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
