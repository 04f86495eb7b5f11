from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.equivalence import SETTINGS
from benchmarks.subjects import Subject


@pytest.mark.parametrize("subject", dict.fromkeys(setting.subject for setting in SETTINGS), ids=lambda each: each.name)
def test_what_is_compared_has_tables_as_they_are_now(subject: Subject, tmp_path: Path) -> None:
    assert subject.write(tmp_path).versions
