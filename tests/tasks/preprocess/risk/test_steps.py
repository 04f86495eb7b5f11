from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data_contracts.contract import ContractViolationError
from data_contracts.days import days_of
from data_contracts.night import Window
from data_contracts.risk.parties import EVERYBODY
from tasks.preprocess.risk.plan import Plan
from tasks.preprocess.risk.steps import Order, count_labels, write_examples, write_parties, write_sums
from tasks.preprocess.risk.tables import Tables
from tests.tasks.preprocess.risk.nights import SUMS, day, deals, publish, workspace


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Shanghai"])
def test_the_day_before_is_one_of_the_zone(tmp_path: Path, zone: str) -> None:
    home, tables = workspace(tmp_path, zone), Tables(workspace(tmp_path).tables)
    made_up = deals(range(4))
    of_day = days_of(pl.col("happened_at"), zone)
    rows = made_up.filter(of_day.is_between(day(1), day(2)))
    publish(home, rows, [1, 2])
    plan = Plan(Window(first_day=day(2), last_day=day(2)), first=True)
    due = tables.due(0, label_days=0)
    order = Order(home.tables, due, plan, "night", zone, waits=False)
    counted = dict(rows.group_by(of_day).len().iter_rows())
    assert set(count_labels(due, zone)["day"]) == {day(1), day(2)}
    tables.begin(write_parties(order), 0, plan, label_days=0)
    for name, parts in write_sums(order, SUMS).items():
        getattr(tables, name).commit(parts, ["night"])
    everybody = pl.DataFrame(tables.party_days.read()).filter(pl.col("party") == EVERYBODY)
    assert dict(everybody.select("day", "count").iter_rows()) == counted
    tables.examples.commit(write_examples(order, plan.window.key).parts, ["night"])
    examples = pl.DataFrame(tables.examples.read(columns=["window", "happened_at"]))
    assert examples.filter(of_day.cast(pl.String) == pl.col("window")).height == rows.height
    too_late = Order(
        home.tables, due, Plan(Window(first_day=day(1), last_day=day(1)), first=False), "b", zone, waits=False
    )
    with pytest.raises(ContractViolationError, match="day after through"):
        write_sums(too_late, SUMS)
    with pytest.raises(ContractViolationError, match="happened_at after through"):
        write_examples(too_late, plan.window.key)
