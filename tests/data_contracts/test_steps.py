"""A table goes on under the next version of its contract, and code of another version leaves it alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_contracts import upgrade
from data_contracts.contract import ContractError, DataContract, Step
from data_contracts.night import Workspace
from data_contracts.promises import Promises
from data_contracts.reading import scan
from data_contracts.table import Table
from data_contracts.use_cases import promises

PARTED = DataContract(
    name="things",
    schema=pa.schema(
        [
            pa.field("number", pa.int32(), nullable=False),
            pa.field("weight", pa.float32()),
            pa.field("at", pa.timestamp("us", tz="UTC")),
            pa.field("marks", pa.list_(pa.int32())),
            pa.field("day", pa.date32(), nullable=False),
        ]
    ),
    written_by="test",
    read_by=("test",),
    partition_by="day",
)
WHOLE = replace(PARTED, partition_by=None)
STEPS = (
    Step(added=(pa.field("colour", pa.string()),)),
    Step(widened={"number": pa.int64(), "weight": pa.float64()}),
    Step(),
)


def after(contract: DataContract, count: int) -> DataContract:
    """The contract as so many steps later."""
    for step in STEPS[:count]:
        contract = replace(contract, schema=step.taken(contract.schema), steps=(*contract.steps, step))
    return contract


def write(table: Table, number: int, **more: object) -> None:
    row = {"number": number, "weight": 0.5, "at": None, "marks": [1], "day": date(2026, 1, 2), **more}
    rows = pa.Table.from_pylist([row], schema=table.contract.schema)
    table.commit(table.write(rows, f"part-{number}"), consumed=[f"input@{number}"])


@pytest.mark.parametrize("contract", [PARTED, WHOLE], ids=["parted", "whole"])
@pytest.mark.parametrize("version", range(1, len(STEPS) + 1))
def test_a_table_of_an_older_version_is_read_and_written_as_one_of_today(
    tmp_path: Path, contract: DataContract, version: int
) -> None:
    old, new = (Table(str(tmp_path), after(contract, count)) for count in (version - 1, len(STEPS)))
    write(old, 1)
    before = old.file_rows()
    assert new.read(0).column("colour").to_pylist() == [None], "an older version of the table is read as well"
    with pytest.raises(ContractError, match=r"'things' is as an older code left it\. Start the night again\."):
        write(new, 2)
    assert new.steps_left() == STEPS[version - 1 :]
    new.take_steps()
    assert new.steps_left() == ()
    assert new.file_rows() == before, "no file was touched"
    taken = new.version()
    new.take_steps()
    assert new.version() == taken, "a step is taken once"
    write(new, 2**40, colour="red")
    rows = sorted(new.read().select(["number", "weight", "colour"]).to_pylist(), key=lambda row: row["number"])
    assert rows == [
        {"number": 1, "weight": 0.5, "colour": None},
        {"number": 2**40, "weight": 0.5, "colour": "red"},
    ]
    scanned = scan(list(new.file_rows()), new.contract).select("number", "weight", "colour").sort("number").collect()
    assert scanned.to_dicts() == rows
    assert new.read().schema == new.contract.schema


def test_code_of_an_older_version_leaves_a_newer_table_alone(tmp_path: Path) -> None:
    old, new = Table(str(tmp_path), PARTED), Table(str(tmp_path), after(PARTED, 2))
    write(new, 1)
    wanted = r"'things' at .*: written under version 3 of its contract, and this code knows 1\. Run the newer code"
    with pytest.raises(ContractError, match=wanted):
        write(old, 2)
    with pytest.raises(ContractError, match=wanted):
        old.take_steps()
    assert new.version() == 0


NUMBER, WEIGHT = PARTED.schema.field("number"), PARTED.schema.field("weight")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(PARTED.schema.append(pa.field("colour", pa.string())), "colour: missing, wanted string", id="new"),
        pytest.param(PARTED.schema.set(0, NUMBER.with_type(pa.int64())), "number: int32 .*, wanted int64", id="wider"),
        pytest.param(PARTED.schema.remove(1), "weight: float, wanted none", id="gone"),
        pytest.param(PARTED.schema.set(1, WEIGHT.with_nullable(nullable=False)), "float not null", id="strict"),
    ],
)
def test_columns_that_change_without_a_step_are_refused_and_named(
    tmp_path: Path, changed: pa.Schema, said: str
) -> None:
    write(Table(str(tmp_path), PARTED), 1)
    table = Table(str(tmp_path), replace(PARTED, schema=changed))
    with pytest.raises(ContractError, match=said):
        table.commit([], consumed=["input@2"])
    with pytest.raises(ContractError, match=said):
        table.take_steps()
    assert table.version() == 0


def test_a_table_from_before_versions_were_remembered_is_of_the_first(tmp_path: Path) -> None:
    table = Table(str(tmp_path), PARTED)
    write(table, 1)
    (log,) = (tmp_path / "things" / "_delta_log").glob("*.json")
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "mark:contract" not in line))
    assert table.mark("contract") is None
    later = Table(str(tmp_path), after(PARTED, len(STEPS)))
    later.take_steps()
    assert later.mark("contract") == len(STEPS) + 1


def test_a_step_adds_no_column_that_must_not_be_null() -> None:
    with pytest.raises(ValueError, match=r"\['colour'\] are added and must not be null"):
        Step(added=(pa.field("colour", pa.string(), nullable=False),))


VALUES = {
    pa.string(): "a",
    pa.binary(): b"a",
    pa.date32(): date(2026, 1, 2),
    pa.timestamp("us", tz="UTC"): datetime(2026, 1, 2, tzinfo=UTC),
}
OF_THE_HOUSE = [
    pytest.param(contract, version, id=f"{use_case}-{contract.name}-{version}")
    for use_case in ("recommender", "risk", "vision")
    for contract in promises(use_case).contracts.values()
    for version in range(1, contract.version)
]


def value(kind: pa.DataType) -> Any:
    """Any one of that type."""
    return [value(kind.value_type)] if pa.types.is_list(kind) else VALUES.get(kind, 1)


@pytest.mark.parametrize(("contract", "version"), OF_THE_HOUSE)
def test_a_table_of_the_house_goes_on_from_every_version_before(
    tmp_path: Path, contract: DataContract, version: int
) -> None:
    later = {field.name for step in contract.steps[version - 1 :] for field in step.added}
    before = pa.schema([field for field in contract.schema if field.name not in later])
    old = Table(str(tmp_path), replace(contract, schema=before, steps=contract.steps[: version - 1]))
    new = Table(str(tmp_path), contract)
    row = {field.name: value(field.type) for field in contract.schema}
    old.commit(old.write(pa.Table.from_pylist([row], before), "old"), ["one"])
    new.take_steps()
    new.commit(new.write(pa.Table.from_pylist([row], contract.schema), "new"), ["two"])
    rows = new.read()
    for name in later:
        assert sorted(rows[name].to_pylist(), key=str) == sorted([None, row[name]], key=str), name
    assert new.mark("contract") == contract.version


def promised(truth: DataContract, *made: DataContract) -> Promises:
    return Promises(truth=truth, made=made)


def test_one_table_that_cannot_be_brought_up_to_date_keeps_all_others_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, older, newer = (replace(PARTED, name=name) for name in ("good", "older", "newer"))
    workspace = Workspace(name="shop", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite:///mlflow.db")
    for contract in (good, after(older, 0), after(newer, 2)):
        write(Table(workspace.tables, contract), 1)
    widened = replace(older, schema=older.schema.set(0, NUMBER.with_type(pa.int64())))
    of_today = {each.name: each for each in (after(good, 1), widened, newer)}
    monkeypatch.setattr(upgrade, "promises", lambda _: promised(*of_today.values()))
    with pytest.raises(ContractError, match=r"'older' at (.|\n)*'newer' at .*: written under version 3") as refused:
        upgrade.bring_up_to_date(workspace)
    assert "'good'" not in str(refused.value)
    assert [Table(workspace.tables, each).version() for each in of_today.values()] == [0, 0, 0]
    of_today |= {"older": older, "newer": after(newer, 2)}
    upgrade.bring_up_to_date(workspace)
    assert [Table(workspace.tables, each).version() for each in of_today.values()] == [1, 0, 0]
