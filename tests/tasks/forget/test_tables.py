from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from distributed import Client

from data_contracts.forgotten import forgotten_of, put_on_list
from data_contracts.night import HeldOut, Workspace
from data_contracts.reading import ErasedError
from data_contracts.table import Table
from data_contracts.vision.images import IMAGES
from data_contracts.vision.labels import LABELS
from tasks.forget.ids import ForgetError, put_on_list_from
from tasks.forget.tables import NightUnfinishedError, erase_rows, first_window, refuse_unfinished
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.validate.config import ValidationConfig
from tests.tasks.validate.logs import DAY, Shop, lines, on_day

HELD_OUT = HeldOut(min_targets=1, min_units=1)
GONE = "u3"
TABLES = ("events", "examples", "state", "quarantine")


def build(shop: Shop, cluster: str) -> None:
    """Make a night's tables of what is new."""
    config = ValidationConfig(max_quarantined=0.5)
    build_night(shop.workspace, shop.night(config=config), HELD_OUT, FeatureConfig(), "nightly", cluster)


def day(number: int, *, without: str = "") -> list[str]:
    """A day's lines: of seven users, and some that are broken."""
    sound = [f"u{n % 7},i{n % 4},{on_day(number)}T10:{n // 60:02}:{n % 60:02}Z,1" for n in range(301)]
    broken = [f"{user},i1,soon,{number}" for user in (GONE, "u4")]
    return [each for each in (*sound, *broken) if not (without and each.startswith(f"{without},"))]


def rows(shop: Shop, name: str) -> pl.DataFrame:
    """A table's rows in some order, without what says when and from where they came."""
    table = pl.DataFrame(shop.table(name).read()).drop("day_ingested", "source_file", "source_row", strict=False)
    return table.sort(pl.all())


def forget(shop: Shop, cluster: str, *ids: str) -> dict[str, int]:
    """Put people on the list, and erase what the tables say of them."""
    put_on_list(shop.workspace.tables, ids)
    refuse_unfinished(shop.workspace)
    with Client(cluster, set_as_default=False) as client:
        return erase_rows(shop.workspace, forgotten_of(shop.workspace.tables), client)


@pytest.fixture
def shop(tmp_path: Path, cluster: str) -> Shop:
    made = Shop(tmp_path, cluster)
    for number in range(3):
        made.write(f"{number}.csv", day(number))
        if number:
            build(made, cluster)
    return made


@pytest.mark.slow
def test_nights_after_an_erasure_are_as_if_the_person_had_never_come(shop: Shop, cluster: str, tmp_path: Path) -> None:
    erased = forget(shop, cluster, GONE)
    assert erased == {"examples": 5, "state": 3, "quarantine": 3, "events": 129}
    assert not any(forget(shop, cluster, GONE).values()), "done again, nothing is left to do"
    shop.write("3.csv", day(3))
    build(shop, cluster)
    other = Shop(tmp_path / "other", cluster)
    for number in range(4):
        other.write(f"{number}.csv", day(number, without=GONE))
        if number:
            build(other, cluster)
    for name in TABLES:
        assert rows(shop, name).equals(rows(other, name)), name
    assert shop.night().forgotten == 43 + 1


@pytest.mark.slow
def test_nothing_on_the_disk_names_the_person_and_versions_that_did_say_so_when_they_are_read(
    shop: Shop, cluster: str
) -> None:
    events = shop.table("events")
    before = {name: shop.table(name).version() for name in TABLES}
    with Client(cluster, set_as_default=False) as client:
        put_on_list(shop.workspace.tables, [GONE])
        found = first_window(shop.workspace, forgotten_of(shop.workspace.tables), client)
    assert found == min(shop.table("examples").partitions())
    forget(shop, cluster, GONE)
    for path in shop.files("tables"):
        assert GONE not in str(pl.read_parquet(path, glob=False).to_dict(as_series=False)), path
    with pytest.raises(ErasedError, match="files of it were taken off the disk since, as rows in them were erased"):
        events.read(before["events"])
    assert sum(events.file_rows().values()) == events.mark("rows")


def test_a_night_that_was_broken_off_is_finished_first(tmp_path: Path, cluster: str) -> None:
    shop = Shop(tmp_path, cluster)
    shop.night("0.csv", lines(DAY))
    with pytest.raises(NightUnfinishedError, match="version 0 of table 'events' was broken off"):
        forget(shop, cluster, GONE)


def test_labels_go_with_the_rows_that_they_are_of(tmp_path: Path, cluster: str) -> None:
    home = Workspace(name="pictures", use_case="vision", home=str(tmp_path), tracking_uri="sqlite://")
    at, today = datetime(2026, 11, 10, 12, tzinfo=UTC), date(2026, 11, 10)
    images, labels = Table(home.tables, IMAGES), Table(home.tables, LABELS)
    people = {"a": "ada", "b": None, "c": "bob"}
    pictures = [
        {"image": b"png", "seen_at": at, "day": today, "image_id": i, "subject_id": s} for i, s in people.items()
    ]
    said = [{"image_id": each, "label": "cat", "labelled_at": at, "day": today} for each in (*people, "d")]
    for table, own in ((images, pictures), (labels, said)):
        frame = pl.DataFrame(own, schema_overrides={"subject_id": pl.String} if own is pictures else {})
        whole = table.contract.filled(frame.to_arrow())
        table.commit(table.write(whole, "night-000000-rows"))
    put_on_list(home.tables, ["ada"])
    with Client(cluster, set_as_default=False) as client:
        erased = erase_rows(home, forgotten_of(home.tables), client)
    assert (erased["images"], erased["labels"]) == (1, 1)
    assert images.read()["image_id"].to_pylist() == ["b", "c"]
    assert sorted(labels.read()["image_id"].to_pylist()) == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("use_case", "content", "says"),
    [
        pytest.param("language", b"ada", "does not say by one column whom a row is about", id="no subject"),
        pytest.param("recommender", b"\n\n", "holds no id", id="no id"),
        pytest.param("recommender", b"\xff\xfe", "Wanted a text file in UTF-8", id="no UTF-8"),
        pytest.param("recommender", None, "No such file", id="no file"),
    ],
)
def test_a_list_that_names_nobody_is_refused(tmp_path: Path, use_case: str, content: bytes | None, says: str) -> None:
    home = Workspace(name="shop", use_case=use_case, home=str(tmp_path), tracking_uri="sqlite://")
    if content is not None:
        (tmp_path / "ids.txt").write_bytes(content)
    with pytest.raises(ForgetError, match=says):
        put_on_list_from(home, str(tmp_path / "ids.txt"))
    assert not Path(home.tables).exists(), "nothing was done"
