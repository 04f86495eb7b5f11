from __future__ import annotations

from pathlib import Path

import pytest

from examples.shop import main

SMALL = ["--users", "40", "--items", "100", "--seed", "5"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.csv.gz"))


def test_days_one_day_and_the_next_day_go_on_with_one_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, steps = tmp_path / "run", tmp_path / "steps"
    main(["--folder", str(run), "--days", "4", *SMALL])
    main(["--folder", str(steps), "--days", "2", *SMALL])
    main(["--folder", str(steps), "--day", "3"])
    main(["--folder", str(steps), "--next-day"])
    assert names(steps) == [f"2026-01-0{day}.csv.gz" for day in (1, 2, 3, 4)]
    assert {path.name: path.read_bytes() for path in run.iterdir()} == {
        path.name: path.read_bytes() for path in steps.iterdir()
    }
    assert capsys.readouterr().out.count("lines") == 8


def test_days_that_are_there_are_said_to_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        main(["--folder", str(tmp_path), "--days", "1", *SMALL])
    assert "1 of the days 2026-01-01 to 2026-01-01 were there already" in capsys.readouterr().out


def test_the_first_day_is_a_setting(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path), "--days", "1", "--first-day", "2025-03-31", *SMALL])
    main(["--folder", str(tmp_path), "--next-day"])
    assert names(tmp_path) == ["2025-03-31.csv.gz", "2025-04-01.csv.gz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--next-day"], "no logs in .* Start with --days 7", id="nothing to follow"),
        pytest.param(["--items", "9"], "greater than or equal to 100", id="too few items"),
    ],
)
def test_a_wrong_wish_ends_with_the_next_step(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(["--folder", str(tmp_path), *arguments])
    assert names(tmp_path) == []


def test_another_world_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path), "--days", "1", *SMALL])
    with pytest.raises(SystemExit, match="holds another world"):
        main(["--folder", str(tmp_path), "--next-day", "--seed", "6"])
    assert len(names(tmp_path)) == 1


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--day", "two"], ["--day", "1", "--next-day"]])
def test_a_command_line_that_makes_no_sense_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--folder", str(tmp_path), *arguments])
    assert "usage:" in capsys.readouterr().err
