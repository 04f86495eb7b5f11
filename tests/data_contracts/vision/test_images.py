from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.check import check
from data_contracts.contract import LATE, Limits
from data_contracts.payloads.payload import FINE
from data_contracts.staging import staging
from data_contracts.vision.images import IMAGES
from data_contracts.vision.pictures import NO_PICTURE, TOO_LARGE, TOO_SMALL, UNDECODABLE
from tests.data_contracts.vision.made_up import encoded
from tests.data_contracts.vision.test_pictures import header

LIMITS = Limits(
    first_day=date(2000, 1, 1),
    earliest=date(2026, 11, 19),
    latest=date(2026, 11, 22),
    allowed={"label": ("cat", "dog", "a" * 9)},
    max_id_bytes=8,
)
PICTURE = encoded(np.zeros((8, 8), np.uint8))
GOOD: dict[str, Any] = {
    "image": PICTURE,
    "label": "cat",
    "seen_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "source_file": "f",
    "source_row": 0,
    "problem": None,
    "original": None,
}
CASES = {
    "as it should be": ({}, None),
    "nobody said what it is": ({"label": None}, None),
    "unreadable": ({"problem": "image longer than 8,388,608 bytes", "image": None}, "unreadable"),
    "missing": ({"image": None}, "image missing"),
    "no picture": ({"image": b"GIF89a"}, NO_PICTURE),
    "cut short": ({"image": PICTURE[:-30]}, UNDECODABLE),
    "too small": ({"image": encoded(np.zeros((1, 1), np.uint8))}, TOO_SMALL),
    "too large": ({"image": header(20_000, 20_000)}, TOO_LARGE),
    "a label that is not known": ({"label": "cow"}, "unknown label"),
    "a label that is too long": ({"label": "a" * 9}, "label too long"),
    "known by its subject and source": ({"subject_id": "p1", "source": "north"}, None),
    "an id that is too long": ({"image_id": "a" * 9}, "image_id too long"),
    "a subject that is too long": ({"subject_id": "a" * 9}, "subject_id too long"),
    "a source that is too long": ({"source": "ä" * 5}, "source too long"),
    "no time": ({"seen_at": None}, "seen_at missing"),
    "before there was anything": ({"seen_at": datetime(1999, 12, 31, tzinfo=UTC)}, "seen_at before first_day"),
    "tomorrow": ({"seen_at": datetime(2026, 11, 23, tzinfo=UTC)}, "seen_at in the future"),
    "late": ({"seen_at": datetime(2026, 11, 18, tzinfo=UTC)}, LATE),
}


def test_each_rule_is_broken_by_what_it_is_about() -> None:
    contract = staging(IMAGES)
    rules = contract.row_rules(LIMITS)
    rows = contract.conform(pa.Table.from_pylist([GOOD | changes for changes, _ in CASES.values()], contract.schema))
    broken = check(contract.checked(rows), rules).first_broken
    seen = {case: None if first < 0 else rules[first].name for case, first in zip(CASES, broken, strict=True)}
    assert seen == {case: rule for case, (_, rule) in CASES.items()}


@pytest.mark.parametrize("rows", [0, 3])
def test_no_row_is_looked_at_twice_or_left_out(rows: int) -> None:
    contract = staging(IMAGES)
    table = contract.conform(pa.Table.from_pylist([GOOD] * rows, contract.schema))
    chunks = pa.concat_tables([table, table.slice(0, 0), table])
    assert contract.checked(chunks)["image_is"].to_pylist() == [FINE] * 2 * rows
