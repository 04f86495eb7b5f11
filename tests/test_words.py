from __future__ import annotations

from pathlib import Path

import pytest

from tests import words


def test_a_word_of_a_use_case_in_a_general_room_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "ROOT", tmp_path)
    for name, code in {
        "tasks/general.py": 'rows = {"user_id": 1}\nfor name, value in rows.items():\n    pass\n',
        "models/recommender/own.py": "item_id = 1\n",
        "flows/quiet.py": "kinds = [1]\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(code)
    assert list(words.found()) == ["tasks/general.py:1: 'user_id' is a word of 'recommender'"]
