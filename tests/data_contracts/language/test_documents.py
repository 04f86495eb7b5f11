from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from data_contracts.check import check
from data_contracts.contract import Limits
from data_contracts.language.documents import DOCUMENTS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(first_day=date(2026, 3, 1), earliest=date(2026, 1, 1), latest=date(2026, 3, 1))


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        pytest.param("Text in any script: 好, العربية, 🙂".encode(), None, id="text"),
        pytest.param(b" \n\t\f", "text is blank", id="blank"),
        pytest.param(b"", "text is blank", id="empty"),
        pytest.param(b"caf\xe9", "text is not UTF-8", id="Latin-1"),
        pytest.param(b"a" * 1_000_001, "text of more than 1,000,000 characters", id="long"),
        pytest.param(b"a\0", "text holds NUL", id="NUL"),
        pytest.param(None, "text missing", id="none"),
    ],
)
def test_a_document_keeps_the_rules_or_is_named_with_the_one_that_it_breaks(
    text: bytes | None, broken: str | None
) -> None:
    columns = {"text": pa.array([text], pa.binary()), "document_id": ["1"], "written_at": [NOON], "day": [NOON.date()]}
    table = DOCUMENTS.checked(pa.table(columns))
    counts = check(table, DOCUMENTS.row_rules(LIMITS)).counts
    assert [rule.rule for rule in counts if rule.unexpected] == ([broken] if broken else [])
