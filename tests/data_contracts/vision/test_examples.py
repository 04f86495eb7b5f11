from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.table import Table
from data_contracts.vision.examples import BANDS, EXAMPLES

ROW = {"pixels": b"1234", "class_number": 0, "seen_at": datetime(2026, 3, 1, tzinfo=UTC), "window": "2026-03-01"}
DAY = date(2026, 3, 1)


def test_bands_are_all_there_or_none() -> None:
    bands = [list(range(BANDS)), None, [], [1] * (BANDS - 1)]
    rows = EXAMPLES.filled(pa.Table.from_pylist([ROW | {"bands": each} for each in bands]))
    rules = EXAMPLES.row_rules(Limits(first_day=DAY, earliest=DAY, latest=DAY))
    broken = check(EXAMPLES.checked(EXAMPLES.conform(rows)), rules).counts
    assert {each.rule: each.unexpected for each in broken if each.unexpected} == {"bands of another number": 2}


def test_tables_of_before_take_a_step_and_know_no_subject(tmp_path: Path) -> None:
    schema = pa.schema([EXAMPLES.schema.field(name) for name in ROW])
    before = Table(str(tmp_path), replace(EXAMPLES, schema=schema, steps=(), checked=lambda table: table))
    before.commit(before.write(pa.Table.from_pylist([ROW], schema), "old"), ["images@0"])
    today = Table(str(tmp_path), EXAMPLES)
    today.take_steps()
    more = {"subject_id": "p1", "source": "north", "bands": list(range(BANDS))}
    today.commit(today.write(pa.Table.from_pylist([ROW | more], EXAMPLES.schema), "new"), ["images@1"])
    found = sorted(today.read(columns=list(more)).to_pylist(), key=lambda row: row["subject_id"] is not None)
    assert found == [dict.fromkeys(more), more]
