from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from data_contracts.night import Window
from examples.shop_logs import LONGEST_WINDOW, OtherWorldError, best_reachable, days_in, write_days
from examples.shop_world import WorldConfig
from tasks.ingest.config import SourceConfig
from tasks.ingest.sources import list_files
from tasks.validate.config import ValidationConfig

SMALL = WorldConfig(users=40, items=100)
FIRST = SMALL.first_day
SETTINGS = yaml.safe_load((Path(__file__).parents[2] / "examples" / "shop.yaml").read_text(encoding="utf-8"))


def write(folder: Path, first: int, last: int, config: WorldConfig = SMALL) -> list[Path]:
    days = (FIRST + timedelta(days=first - 1), FIRST + timedelta(days=last - 1))
    return [path for path, _ in write_days(folder, config, *days)]


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv.gz")}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The first day of the shop as it is by default, as text."""
    (path,) = write(tmp_path_factory.mktemp("logs"), 1, 1, WorldConfig())
    return read(path)


def test_a_day_alone_has_the_bytes_of_the_day_in_a_run(tmp_path: Path) -> None:
    write(tmp_path / "run", 1, 4)
    for number in (4, 2):
        write(tmp_path / "alone", number, number)
    run, alone = contents(tmp_path / "run"), contents(tmp_path / "alone")
    assert sorted(alone) == ["2026-01-02.csv.gz", "2026-01-04.csv.gz"]
    assert alone.items() <= run.items()


def test_another_seed_makes_other_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one", 1, 1)
    write(tmp_path / "two", 1, 1, SMALL.model_copy(update={"seed": 2}))
    assert contents(tmp_path / "one") != contents(tmp_path / "two")


def test_a_day_that_is_there_stays_untouched(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 1, 1)
    before = path.stat()
    assert write(tmp_path, 1, 2) == [tmp_path / "2026-01-02.csv.gz"]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert days_in(tmp_path) == [FIRST, FIRST + timedelta(days=1)]


def test_another_world_in_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    with pytest.raises(OtherWorldError, match=r"seed=1.*seed=2.*another --folder"):
        write(tmp_path, 2, 2, SMALL.model_copy(update={"seed": 2}))


def test_days_before_the_world_began_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2026-01-01 on, got 2025-12-31"):
        write(tmp_path, 0, 1)
    assert not contents(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(pl.col("user_id").is_null(), id="missing user"),
        pytest.param(pl.col("item_id").is_null(), id="missing item"),
        pytest.param(~pl.col("event").is_in(SETTINGS["validation"]["allowed"]["event"]), id="unknown kind"),
        pytest.param(pl.col("value") == "NaN", id="no number"),
        pytest.param(pl.col("value") == "inf", id="no finite number"),
        pytest.param(pl.col("timestamp").str.contains("noon"), id="unparseable time"),
        pytest.param(pl.col("timestamp").str.starts_with("1970"), id="far past"),
        pytest.param(pl.col("timestamp").str.starts_with("2099"), id="far future"),
        pytest.param(pl.struct(pl.all()).is_duplicated() & ~pl.struct(pl.all()).is_first_distinct(), id="repeat"),
    ],
)
def test_each_kind_of_dirt_is_three_lines_in_a_thousand(lines: pl.DataFrame, broken: pl.Expr) -> None:
    assert len(lines.filter(broken)) / len(lines) == pytest.approx(0.003, rel=0.05)


def test_every_clean_event_is_in_the_log(week: pl.DataFrame, lines: pl.DataFrame) -> None:
    """The week's first day is the log's first day."""
    clean = week.filter(pl.col("day") == 1)
    spelled = clean.select(
        user_id=pl.concat_str(pl.lit("u"), pl.col("user").cast(pl.String).str.zfill(6)),
        item_id=pl.concat_str(pl.lit("i"), pl.col("item").cast(pl.String).str.zfill(5)),
        event=pl.col("event"),
        timestamp=pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    assert spelled.join(lines, on=spelled.columns, how="anti").is_empty()
    assert len(lines) == len(clean) + 9 * round(0.003 * len(clean))


def test_the_settings_that_ship_read_the_logs_and_allow_their_dirt(tmp_path: Path, lines: pl.DataFrame) -> None:
    source, validation = SourceConfig(**SETTINGS["source"]), ValidationConfig(**SETTINGS["validation"])
    write(tmp_path, 1, 2)
    for uri in (str(tmp_path), str(tmp_path / Path(source.uri).name)):
        assert [file.name for file in list_files(uri)] == ["2026-01-01.csv.gz", "2026-01-02.csv.gz"]
    assert validation.max_quarantined > 8 * 0.003
    assert set(lines["event"].unique()) == {*validation.allowed["event"], "teleport"}


def test_what_is_best_reachable_is_written_for_every_window(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    write(tmp_path, 9, 9)
    best = json.loads((tmp_path / "_best_reachable.json").read_text(encoding="utf-8"))
    assert len(best) == sum(min(day, LONGEST_WINDOW) for day in range(1, 10))
    for first, last in ((9, 9), (4, 6)):
        window = Window(first_day=date(2026, 1, first), last_day=date(2026, 1, last))
        assert best[str(window)] == best_reachable(SMALL, window)
        assert 0 < best[str(window)]["ndcg@10"] < best[str(window)]["hr@10"] < 1
