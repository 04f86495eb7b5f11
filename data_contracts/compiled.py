"""Rules as expressions of Polars, which says what Great Expectations' pandas engine says, and sooner.

A rule is compiled only where that is sure, by what it asks for and of what types its columns are. Others are not known
here. Where pandas has no answer, or takes large integers beside nulls for their neighbours, this says what is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeGuard

import polars as pl
import pyarrow as pa

from data_contracts.counts import EXAMPLES, Found, RuleCounts, plain
from data_contracts.rules import Rule

_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
_FLOATS = (pl.Float32, pl.Float64)
_NUMBERS = (*_INTEGERS, *_FLOATS)
_TIME = pl.Datetime("us", "UTC")
_TYPES = (*_NUMBERS, pl.String, pl.Boolean, _TIME)

_EXACT = 2**53
"""Integers nearer to 0 are exact in float64, as which pandas has those of a column with nulls."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Compiled(NamedTuple):
    """One rule, as expressions over the rows.

    Attributes:
        columns: Of which values are shown where they break it: one, or a pair.
        broken: Whether a row breaks it, never null.
        missing: Whether a row has no value; None for rules about missing values.
    """

    columns: tuple[str, ...]
    broken: pl.Expr
    missing: pl.Expr | None


def found(rows: pa.Table, rules: Sequence[Rule]) -> dict[str, Found]:
    """Compute those rules that are known, and return what each finds, by name.

    Args:
        rows: Strings, numbers, times and booleans.
        rules: Each of another name.
    """
    asked = {value for rule in rules for value in rule.arguments.values() if isinstance(value, str)}
    frame = pl.DataFrame(rows.select([name for name in rows.column_names if name in asked]))
    known = {rule.name: made for rule in rules if (made := compiled(rule, frame.schema))}
    broken = frame.lazy().select(made.broken.alias(name) for name, made in known.items()).collect()
    counted = {name: made.missing.sum() for name, made in known.items() if made.missing is not None}
    missing = frame.lazy().select(**counted).collect()
    all_found: dict[str, Found] = {}
    for name, made in known.items():
        numbers = broken[name].arg_true().to_numpy()
        counts = RuleCounts(
            rule=name,
            elements=rows.num_rows,
            missing=missing[name].item() if name in counted else None,
            unexpected=len(numbers),
            examples=_examples(frame.select(made.columns)[numbers[:EXAMPLES]]),
        )
        all_found[name] = Found(counts, numbers)
    return all_found


def _examples(first: pl.DataFrame) -> tuple[Any, ...]:
    if first.is_empty():
        return ()
    values = [list(column) for _, column in first.to_pandas().items()]
    return tuple(plain(value) for value in (values[0] if len(values) == 1 else zip(*values, strict=True)))


def compiled(rule: Rule, schema: Mapping[str, pl.DataType]) -> Compiled | None:
    """Return the rule as expressions over rows of a schema; None where it is not known.

    Args:
        rule: The rule.
        schema: Column to its type.
    """
    asked = dict(rule.arguments)
    if asked.pop("mostly", 1) != 1:
        return None
    if rule.expectation == "ExpectColumnPairValuesToBeEqual":
        return _equal(asked, schema)
    column = asked.pop("column", None)
    if not isinstance(column, str) or (kind := schema.get(column)) not in _TYPES:
        return None
    value = pl.col(column)
    given = value.is_not_null() & value.is_not_nan() if kind in _FLOATS else value.is_not_null()
    if rule.expectation in _ABOUT_MISSING:
        broken = given if rule.expectation == "ExpectColumnValuesToBeNull" else ~given
        return None if asked else Compiled((column,), broken, None)
    met = _MEETS[rule.expectation](value, kind, asked) if rule.expectation in _MEETS else None
    return None if met is None else Compiled((column,), given & ~met, ~given)


class _Bound(NamedTuple):
    """A bound, and the type in which pandas compares values with it; a time in us since 1970."""

    at: float
    kind: pl.DataType


def _bound(kind: pl.DataType, at: object) -> _Bound | None:
    """Return a bound of a column of type ``kind``; None where it is not sure what pandas makes of it."""
    if isinstance(at, datetime) and at.tzinfo is not None and kind == _TIME:
        return _Bound((at - _EPOCH) // timedelta(microseconds=1), pl.Int64())
    if _is_exact(at) and kind in _NUMBERS:
        return _Bound(at, pl.Int64() if kind in _INTEGERS else pl.Float64())
    if type(at) is float and not math.isnan(at) and kind in _NUMBERS:
        return _Bound(at, pl.Float64())
    return None


def _between(value: pl.Expr, kind: pl.DataType, asked: Mapping[str, object]) -> pl.Expr | None:
    strict = {name: asked.get(name, False) for name in ("strict_min", "strict_max")}
    ends = {name: at for name in ("min_value", "max_value") if (at := asked.get(name)) is not None}
    bounds = {name: bound for name, at in ends.items() if (bound := _bound(kind, at))}
    if not ends or bounds.keys() != ends.keys() or not asked.keys() <= {"min_value", "max_value", *strict}:
        return None
    low, high = bounds.get("min_value"), bounds.get("max_value")
    if not all(isinstance(each, bool) for each in strict.values()) or (low and high and low.at > high.at):
        return None
    met: list[pl.Expr] = []
    if low:
        seen, least = value.cast(low.kind), pl.lit(low.at, low.kind)
        met.append(seen > least if strict["strict_min"] else seen >= least)
    if high:
        seen, most = value.cast(high.kind), pl.lit(high.at, high.kind)
        met.append(seen < most if strict["strict_max"] else seen <= most)
    return pl.all_horizontal(met)


def _among(value: pl.Expr, kind: pl.DataType, asked: Mapping[str, object]) -> pl.Expr | None:
    wanted = asked.get("value_set")
    if asked.keys() != {"value_set"} or not isinstance(wanted, list):
        return None
    if kind in _INTEGERS and all(map(_is_exact, wanted)):
        return value.cast(pl.Int64).is_in(pl.Series([wanted], dtype=pl.List(pl.Int64)))
    if (kind == pl.String and all(type(each) is str for each in wanted)) or (
        kind == pl.Boolean and all(type(each) is bool for each in wanted)
    ):
        return value.is_in(pl.Series([wanted], dtype=pl.List(kind)))
    return None


def _not_among(value: pl.Expr, kind: pl.DataType, asked: Mapping[str, object]) -> pl.Expr | None:
    among = _among(value, kind, asked)
    return None if among is None else ~among


def _unique(value: pl.Expr, kind: pl.DataType, asked: Mapping[str, object]) -> pl.Expr | None:
    return value.is_unique() if not asked and (kind == pl.String or kind in _INTEGERS) else None


def _equal(asked: Mapping[str, object], schema: Mapping[str, pl.DataType]) -> Compiled | None:
    one, other = asked.get("column_A"), asked.get("column_B")
    if asked.keys() != {"column_A", "column_B"} or not isinstance(one, str) or not isinstance(other, str):
        return None
    kinds = schema.get(one), schema.get(other)
    if not (all(kind == pl.String for kind in kinds) or all(kind in _INTEGERS for kind in kinds)):
        return None
    equal, missing = pl.col(one).eq_missing(pl.col(other)), pl.col(one).is_null() & pl.col(other).is_null()
    return Compiled((one, other), ~equal, missing)


def _is_exact(number: object) -> TypeGuard[int]:
    return type(number) is int and abs(number) < _EXACT


_ABOUT_MISSING = ("ExpectColumnValuesToNotBeNull", "ExpectColumnValuesToBeNull")
_MEETS: Mapping[str, Callable[[pl.Expr, pl.DataType, Mapping[str, object]], pl.Expr | None]] = {
    "ExpectColumnValuesToBeBetween": _between,
    "ExpectColumnValuesToBeInSet": _among,
    "ExpectColumnValuesToNotBeInSet": _not_among,
    "ExpectColumnValuesToBeUnique": _unique,
}
"""Expectation to what says whether a value that is there meets it; of a null it may say anything."""
