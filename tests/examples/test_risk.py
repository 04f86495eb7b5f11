from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from examples.risk import FIRST_DAY, main, transactions


def test_days_that_are_written_one_by_one_are_those_written_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    main(["--folder", str(together), "--days", "2", "--per-day", "50"])
    for days in ("1", "2"):
        main(["--folder", str(alone), "--days", days, "--per-day", "50"])
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (together, alone)]
    assert files[0] == files[1]
    main(["--folder", str(alone), "--next-day", "--per-day", "50"])
    assert sorted(path.name for path in alone.iterdir())[-1] == "2026-01-03.csv"
    assert list(map(len, files)) == [2, 2]
    assert capsys.readouterr().out.count("57 lines") == 5, "50 transactions and one of each kind of dirt"


def test_some_turn_out_bad_and_of_some_nobody_knows_yet() -> None:
    day = transactions(FIRST_DAY, 5_000, seed=0)
    assert 0.03 < day["label"].mean() < 0.25  # type: ignore[operator]
    assert 0 < day["label"].null_count() == day["outcome"].null_count() < 500
    assert day.filter(pl.col("from_party") == pl.col("to_party")).is_empty()


def test_a_wrong_number_of_days_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--folder", str(tmp_path), "--days", "0"])
    assert "wanted a whole number from 1 on, got '0'" in capsys.readouterr().err
