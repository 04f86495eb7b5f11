from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from data_contracts.forgotten import FORGOTTEN, Forgotten, forgotten_of, put_on_list
from data_contracts.table import Table


def test_the_list_holds_salted_hashes_and_nobody_twice(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert put_on_list(folder, ["196", "ada", "ada"]) == 2
    first = forgotten_of(folder)
    assert put_on_list(folder, ["ada", "bob", ""]) == 2
    assert put_on_list(folder, ["bob"]) == 0
    found = forgotten_of(folder)
    assert found.salt == first.salt, "or nobody would be found again"
    digests = Table(folder, FORGOTTEN).read()["digest"].to_pylist()
    assert set(digests) == {
        hashlib.sha256(f"{found.salt}{each}".encode()).hexdigest() for each in ("196", "ada", "bob", "")
    }
    other = tmp_path / "other"
    put_on_list(str(other), ["ada"])
    assert forgotten_of(str(other)).salt != found.salt


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param('{"user_id":"ada","k":5}', True, id="JSON"),
        pytest.param("196\t242\t3\t881250949", True, id="tabs"),
        pytest.param("1964\t242\t3", False, id="the beginning of another"),
        pytest.param("x;196;y", True, id="semicolons"),
        pytest.param("", False, id="nothing"),
        pytest.param(None, False, id="null"),
    ],
)
def test_a_text_names_who_is_a_word_of_it(tmp_path: Path, text: str | None, *, named: bool) -> None:
    put_on_list(str(tmp_path), ["196", "ada"])
    assert forgotten_of(str(tmp_path)).are_named_in(pl.Series([text, "nobody"], dtype=pl.String)).to_list() == [
        named,
        False,
    ]


def test_ids_are_found_one_by_one_and_null_is_nobody(tmp_path: Path) -> None:
    put_on_list(str(tmp_path), ["ada", "用户"])
    found = forgotten_of(str(tmp_path))
    assert found.are(pl.Series(["ada", None, "Ada", "用户", "ada"])).to_list() == [True, False, False, True, True]
    assert found.are(pl.Series([], dtype=pl.String)).to_list() == []
    assert Forgotten().are(pl.Series(["ada"])).to_list() == [False], "nobody is forgotten"
