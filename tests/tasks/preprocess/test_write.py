from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from data_contracts.contract import ContractViolationError, DataContract
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table
from tasks.preprocess.write import write_checked

THROUGH = date(2026, 1, 1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE_NOON = NOON - timedelta(microseconds=1)
EXAMPLE = {
    "user_id": "u",
    "bucket": 1023,
    "context": [1],
    "context_event": ["buy"],
    "context_timestamp": [NOON],
    "target": [2, 1],
    "target_event": ["view", "buy"],
    "target_timestamp": [NOON, NOON],
    "window": "2026-01-01",
}
NO_CONTEXT: dict[str, object] = {"context": [], "context_event": [], "context_timestamp": []}
HISTORY = {
    "user_id": "u",
    "bucket": 0,
    "items": [1, 2],
    "kinds": ["view", "buy"],
    "timestamps": [NOON, NOON],
    "seen": [1, 2],
    "event_count": 2,
    "window": "2026-01-01",
}
ITEM = {"item_id": "a", "item_index": 1, "first_window": "2026-01-01"}
COUNT = {"item_index": 1, "count": 1, "window": "2026-01-01"}


@pytest.mark.parametrize(
    ("contract", "rows", "broken"),
    [
        pytest.param(EXAMPLES, [EXAMPLE | {"bucket": 1024}], ["bucket out of range"], id="bucket"),
        pytest.param(EXAMPLES, [EXAMPLE, EXAMPLE | NO_CONTEXT], ["context empty"], id="context"),
        pytest.param(EXAMPLES, [EXAMPLE | {"context": [0]}], ["item_index below 1"], id="padding in context"),
        pytest.param(EXAMPLES, [EXAMPLE | {"target_event": ["view"]}], ["target_event not as long"], id="kinds"),
        pytest.param(
            EXAMPLES,
            [EXAMPLE | {"target_timestamp": [NOON, BEFORE_NOON]}],
            ["targets out of order"],
            id="order",
        ),
        pytest.param(
            EXAMPLES, [EXAMPLE | {"context_event": []}], ["context_event not as long"], id="kinds of the context"
        ),
        pytest.param(
            EXAMPLES,
            [EXAMPLE | {"context_timestamp": [NOON] * 2}],
            ["context_timestamp not as long"],
            id="times of the context",
        ),
        pytest.param(
            EXAMPLES,
            [EXAMPLE | {"context": [1, 1], "context_event": ["view"] * 2, "context_timestamp": [NOON, BEFORE_NOON]}],
            ["context out of order"],
            id="order of the context",
        ),
        pytest.param(
            EXAMPLES,
            [EXAMPLE | {"target_timestamp": [BEFORE_NOON, NOON]}],
            ["context later than its targets"],
            id="context after targets",
        ),
        pytest.param(
            EXAMPLES,
            [EXAMPLE | {"target": [], "target_timestamp": [NOON + timedelta(days=1)]}],
            ["target empty", "target_event not as long", "target_timestamp not as long", "target after through"],
            id="all problems at once",
        ),
        pytest.param(STATE, [HISTORY | {"seen": [1, 1]}], ["item twice in seen"], id="seen twice"),
        pytest.param(STATE, [HISTORY | {"event_count": 1}], ["more items than event_count"], id="uncounted"),
        pytest.param(STATE, [HISTORY | {"seen": [0, 1]}], ["item_index below 1"], id="padding in seen"),
        pytest.param(STATE, [HISTORY | {"kinds": ["view"]}], ["kinds not as long as items"], id="history's kinds"),
        pytest.param(ITEMS, [ITEM, ITEM], ["item_index given twice", "item numbered twice"], id="numbered twice"),
        pytest.param(ITEM_COUNTS, [COUNT | {"count": 0}], ["item counted without an event"], id="no event"),
    ],
)
def test_rows_that_break_a_rule_are_not_written(
    tmp_path: Path, contract: DataContract, rows: list[dict[str, object]], broken: list[str]
) -> None:
    with pytest.raises(ContractViolationError) as error:
        write_checked(Table(str(tmp_path), contract), pl.DataFrame(rows), "night", THROUGH, "UTC")
    assert f"{len(broken)} rules broken" in str(error.value)
    assert all(rule in str(error.value) for rule in broken)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("contract", "row"),
    [
        (EXAMPLES, EXAMPLE),
        (EXAMPLES, EXAMPLE | {"context_event": None, "context_timestamp": None}),
        (STATE, HISTORY),
        (ITEMS, ITEM),
        (ITEM_COUNTS, COUNT),
    ],
)
def test_rows_that_keep_their_contract_are_written(
    tmp_path: Path, contract: DataContract, row: dict[str, object]
) -> None:
    parts = write_checked(Table(str(tmp_path), contract), pl.DataFrame([row]), "night", THROUGH, "UTC")
    assert [part.rows for part in parts] == [1]


def test_no_rows_need_no_file(tmp_path: Path) -> None:
    empty = pl.DataFrame(EXAMPLES.schema.empty_table())
    assert write_checked(Table(str(tmp_path), EXAMPLES), empty, "night", THROUGH, "UTC") == []
