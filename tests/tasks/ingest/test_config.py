from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.ingest.config import SourceConfig


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        pytest.param({"format": "jsonl", "separator": ";"}, ["separator is for csv"], id="separator"),
        pytest.param({"format": "parquet", "quoted": False}, ["quoted is for csv"], id="quotes"),
        pytest.param(
            {"format": "sequences", "columns": {"user_id": "u"}, "time_unit": "s"},
            ["columns has no meaning", "time_unit has no meaning"],
            id="both at once",
        ),
        pytest.param(
            {"format": "sequences", "accept_changes": True}, ["accept_changes has no meaning"], id="nothing can change"
        ),
        pytest.param(
            {"columns": {"event": "kind"}, "defaults": {"event": "view"}},
            ["'event' is both in columns and in defaults"],
            id="default never used",
        ),
    ],
)
def test_settings_that_would_be_ignored_are_refused_all_at_once(settings: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        SourceConfig.model_validate(settings)
    assert all(problem in str(error.value) for problem in problems)


def test_every_setting_is_described_and_has_a_default() -> None:
    assert all(field.description for field in SourceConfig.model_fields.values())
    assert SourceConfig().has_times
    assert not SourceConfig(format="sequences").has_times
    assert re.search("fsspec", SourceConfig.model_fields["uri"].description or "")
