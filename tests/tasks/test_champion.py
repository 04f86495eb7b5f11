from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from data_contracts.night import Night, Window, Workspace
from data_contracts.version import TABLE_IDS, TRAINED_THROUGH
from tasks.champion import stranger, table_ids
from tests.models.recommender.tables import write_tables

TABLES = {"items": "a-1", "events": "b-1", "state": "c-1"}
DAY = date(2026, 11, 3)
NIGHT = Night(
    window=Window(first_day=DAY, last_day=DAY),
    windows=("2026-11-01", "2026-11-02", "2026-11-03"),
    tables=dict.fromkeys(TABLES, 0),
)
IDS = json.dumps(TABLES)
OTHER_IDS = json.dumps(TABLES | {"items": "a-2"})
OLDER_IDS = json.dumps({("histories" if name == "state" else name): own for name, own in TABLES.items()})


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        pytest.param({TRAINED_THROUGH: "2026-11-02", TABLE_IDS: IDS}, "", id="of these tables"),
        pytest.param({TRAINED_THROUGH: "2026-11-02", TABLE_IDS: OTHER_IDS}, "tables made before", id="of other tables"),
        pytest.param({TRAINED_THROUGH: "2026-11-02", TABLE_IDS: OLDER_IDS}, "", id="one has another name now"),
        pytest.param({TRAINED_THROUGH: "2026-11-02", TABLE_IDS: '{"a": "b"}'}, "tables made before", id="of none"),
        pytest.param({TRAINED_THROUGH: "2026-11-03", TABLE_IDS: IDS}, "no window before", id="knows the judging one"),
        pytest.param({TRAINED_THROUGH: "2026-10-30", TABLE_IDS: IDS}, "no window before", id="of another window"),
        pytest.param({TABLE_IDS: IDS}, "does not say what", id="trained through nobody knows what"),
        pytest.param({TRAINED_THROUGH: "2026-11-02"}, "does not say which tables", id="of nobody knows which tables"),
    ],
)
def test_who_may_be_judged_and_trained_further(tags: dict[str, str], reason: str) -> None:
    said = stranger("7", tags, NIGHT, TABLES)
    assert bool(said) is bool(reason)
    assert reason in said


def test_tables_made_anew_have_other_ids(tmp_path: Path) -> None:
    home = Workspace(name="shop", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite://")
    names = [*write_tables(Path(home.tables), {"a": {"ann": [1, 2]}}).versions, "quarantine"]
    before = table_ids(home, names)
    assert before == table_ids(home, names)
    assert "quarantine" not in before, "it was never written"
    shutil.rmtree(tmp_path)
    write_tables(Path(home.tables), {"a": {"ann": [1, 2]}})
    after = table_ids(home, names)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
