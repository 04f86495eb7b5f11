from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.language.documents import TEXT
from examples.by_day import FIRST_DAY
from examples.language import CHARACTERS, main, pieces
from flows.settings import NightlySettings

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_pythons_help_comes_by_days_and_a_little_dirty(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path), "--days", "2"])
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["2026-01-01.parquet", "2026-01-02.parquet"]
    for file in files:
        rows = pq.read_table(file).to_pylist()
        assert [TEXT.problem_of(row["text"]) for row in rows] == ["text is not UTF-8", *[None] * (len(rows) - 1)]
        assert {row["written_at"].date().isoformat() for row in rows} == {file.stem}


def test_of_a_text_the_newest_day_is_its_last_tenth(tmp_path: Path) -> None:
    text = "".join(f"Line {number} of a play.\n{chr(10) * (number % 5 == 0)}" for number in range(4_000))
    (tmp_path / "play.txt").write_text(text, newline="")
    main(["--folder", str(tmp_path / "texts"), "--text", str(tmp_path / "play.txt")])
    days = [pq.read_table(file)["text"].to_pylist() for file in sorted((tmp_path / "texts").iterdir())]
    assert len(days) == 10
    assert b"".join(each for day in days for each in day).decode() == text
    assert b"".join(days[-1]).decode() == text[len(text) * 9 // 10 :]
    assert str(FIRST_DAY + timedelta(days=9)) in {file.stem for file in (tmp_path / "texts").iterdir()}


@given(st.lists(st.sampled_from(["word ", "\n", "\n\n", "\r\n", "x" * CHARACTERS]), max_size=60))
def test_documents_put_behind_each_other_are_the_text(parts: list[str]) -> None:
    text = "".join(parts)
    found = pieces(text)
    assert text.startswith("".join(found))
    assert text[len("".join(found)) :].strip() == ""


def test_a_day_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--folder", str(tmp_path), "--days", "1"])
    main(["--folder", str(tmp_path), "--next-day"])
    main(["--folder", str(tmp_path), "--days", "2"])
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "2026-01-01.parquet"),
        str(tmp_path / "2026-01-02.parquet"),
    ]


def test_a_text_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"texts: .*play\.txt"):
        main(["--folder", str(tmp_path), "--text", str(tmp_path / "play.txt")])


@pytest.mark.parametrize("name", ["language.yaml", "tiny-shakespeare.yaml", "newswire.yaml"])
def test_the_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME"):
        monkeypatch.delenv(variable, raising=False)
    settings = NightlySettings.from_file(str(EXAMPLES / name))()  # type: ignore[call-arg]
    assert settings.use_case == "language"
    assert settings.model.layers >= 4
