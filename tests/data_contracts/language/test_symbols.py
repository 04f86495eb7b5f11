from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.language.symbols import SYMBOLS, spelled
from data_contracts.table import Table

LIMITS = Limits(first_day=date.min, earliest=date.min, latest=date(2026, 3, 1))
ROWS = {"symbol": ["b", "a"], "symbol_number": pa.array([3, 2], pa.int32()), "first_window": ["2026-03-01"] * 2}


def test_a_table_of_before_goes_on(tmp_path: Path) -> None:
    schema = pa.schema([field for field in SYMBOLS.schema if field.name != "merged_from"])
    before = Table(str(tmp_path), replace(SYMBOLS, schema=schema, steps=(), checked=lambda table: table))
    before.commit(before.write(pa.table(ROWS), "part"), ["documents@0"])
    today = Table(str(tmp_path), SYMBOLS)
    today.take_steps()
    more = SYMBOLS.filled(pa.table({"symbol": ["c"], "symbol_number": [4], "first_window": ["2026-03-02"]}))
    today.commit(today.write(more, "more"), ["documents@1"])
    assert spelled(today.read()) == ("a", "b", "c")
    assert spelled(today.read(0)) == ("a", "b")


@pytest.mark.parametrize(
    ("symbol", "merged_from", "broken"),
    [
        pytest.param("Ġthe", "Ġt he", [], id="a pair"),
        pytest.param(" ", None, [], id="a blank is a character"),
        pytest.param("Ġthe", "Ġt h", ["symbol is not what it is merged from"], id="another pair"),
    ],
)
def test_a_symbol_is_what_it_is_merged_from(symbol: str, merged_from: str | None, broken: list[str]) -> None:
    rows = {"symbol": [symbol], "symbol_number": [300], "first_window": ["2026-03-01"], "merged_from": [merged_from]}
    counts = check(SYMBOLS.checked(SYMBOLS.conform(pa.table(rows))), SYMBOLS.row_rules(LIMITS)).counts
    assert [rule.rule for rule in counts if rule.unexpected] == broken
