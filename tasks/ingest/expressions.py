"""Expressions in SQL over the columns of one row of a source, as Polars reads them."""

from __future__ import annotations

import json
import re

import polars as pl

_SEVERAL_ROWS = {
    "Agg",
    "Correlation",
    "Explode",
    "IntRange",
    "Len",
    "Over",
    "Quantile",
    "Rank",
    "Selector",
    "SubPlan",
}
"""Steps of an expression that look at other rows, or at columns that it does not name."""
_TEXTS = ("Column", "Literal")
"""Steps that hold a name or a value, not further steps."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*")
_CLOCK = re.compile(r"\b(?:NOW\s*\(|CURRENT_(?:DATE|TIME|TIMESTAMP)\b|LOCALTIME(?:STAMP)?\b)", re.IGNORECASE)
_WANTED = (
    "wanted SQL over the columns of one row, such as `CASE WHEN TRY_CAST(rating AS DOUBLE) < 0 THEN 1 ELSE 0 END` or "
    "`event != 'bot' AND \"user agent\" IS NOT NULL`, with double quotes around a column that has blanks or is called "
    "as SQL calls something"
)


def parsed(text: str) -> pl.Expr:
    """Return an expression.

    Raises:
        ValueError: It is none over one row; see `problem_of`.
    """
    try:
        expression = pl.sql_expr(text)
        steps = _steps(json.loads(expression.meta.serialize(format="json")))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = str(error).split("\n", maxsplit=1)[0]
        raise ValueError(f"{text!r} is no expression: {why}; {_WANTED}") from error
    if steps & _SEVERAL_ROWS:
        raise ValueError(f"{text!r} looks at several rows or columns at once (SUM, COUNT, OVER, *); {_WANTED}")
    if _CLOCK.search(_QUOTED.sub("", text)):
        raise ValueError(f"{text!r} asks for the time it is: rows that come again would be others; {_WANTED}")
    if not expression.meta.root_names():
        raise ValueError(f"{text!r} reads no column; a value for every row is one of defaults; {_WANTED}")
    return expression


def problem_of(text: str) -> str:
    """Say why a text is no expression over one row; empty when it is one."""
    try:
        parsed(text)
    except ValueError as error:
        return str(error)
    return ""


def reads(text: str) -> list[str]:
    """Return the columns that an expression reads, each once."""
    return list(dict.fromkeys(parsed(text).meta.root_names()))


def _steps(node: object) -> set[str]:
    """Return the names of the steps of an expression, as Polars writes it."""
    if isinstance(node, str):
        return {node}
    if isinstance(node, list):
        return set().union(*map(_steps, node))
    if isinstance(node, dict):
        return set(node).union(*(_steps(inner) for step, inner in node.items() if step not in _TEXTS))
    return set()
