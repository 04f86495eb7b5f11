from __future__ import annotations

import base64
import json
import tarfile
from collections import Counter
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from distributed import Client

from data_contracts.night import HeldOut, Night
from data_contracts.quarantine import QUARANTINE
from data_contracts.table import Table
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.pictures import NO_PICTURE, UNDECODABLE
from data_contracts.vision.twins import bands
from data_contracts.waiting import Waiting
from tasks.ingest.config import SourceConfig
from tasks.preprocess import pieces
from tasks.preprocess.errors import OtherFeaturesError, OutOfOrderError, TooFewTargetsError
from tasks.preprocess.vision import cut
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.vision.night import _begin, build_night
from tasks.preprocess.vision.tables import Tables
from tests.data_contracts.vision.made_up import LABELS, bars, encoded
from tests.tasks.preprocess.vision.days import A_DAY, FEATURES, FIRST, HELD_OUT, Days

PAST, HELD = (str(FIRST + timedelta(days=day)) for day in (1, 2))


@pytest.fixture
def days(tmp_path: Path, cluster: str) -> Days:
    made = Days(tmp_path, cluster)
    for day in range(3):
        made.write(day)
    return made


def examples(days: Days, night: Night) -> pl.DataFrame:
    rows = pl.DataFrame(Tables(days.workspace.tables).examples.read(night.tables["examples"]))
    return rows.sort("window", "seen_at")


def classes(days: Days) -> dict[str, int]:
    return dict(Tables(days.workspace.tables).numbered().iter_rows())


def waiting(days: Days) -> Waiting | None:
    return Waiting.of(Tables(days.workspace.tables).examples)


def test_pictures_become_pixels_and_the_last_day_is_held_out(days: Days) -> None:
    night = days.build(days.publish())
    assert (night.windows, night.window.key, night.window.first_day) == ((PAST, HELD), HELD, FIRST + timedelta(days=2))
    rows = examples(days, night)
    assert Counter(rows["window"]) == {PAST: 2 * (A_DAY - 1), HELD: A_DAY - 1}
    pixels, numbers = bars(A_DAY, seed=2)
    seen = rows.filter(pl.col("window") == HELD)
    assert [np.frombuffer(each, np.uint8).tolist() for each in seen["pixels"]] == pixels[1:].reshape(-1, 144).tolist()
    named = {number: label for label, number in classes(days).items()}
    assert [named[number] for number in seen["class_number"]] == [LABELS[number] for number in numbers[1:]]
    assert waiting(days) == Waiting(rows_waiting=3)


def test_whom_pictures_show_and_where_they_were_made_is_kept_beside_their_bands(days: Days) -> None:
    """The files of the days before have no such columns."""
    days.write(3, named=True)
    night = days.build(days.publish())
    rows = examples(days, night).filter(pl.col("window") == night.window.key)
    pixels, _ = bars(A_DAY, seed=3)
    places = range(1, A_DAY)
    assert rows["subject_id"].to_list() == [f"patient {place // 2}" if place % 3 else None for place in places]
    assert rows["source"].to_list() == ["north" if place % 2 else "south" for place in places]
    assert rows["bands"].to_list() == [bands(pixels[place]).tolist() for place in places]
    before = examples(days, night).filter(pl.col("window") != night.window.key)
    assert before["subject_id"].null_count() == before["source"].null_count() == before.height > 0
    assert not before["bands"].has_nulls()


def test_columns_of_subjects_and_sources_may_be_called_otherwise(tmp_path: Path, cluster: str) -> None:
    days, ours = Days(tmp_path, cluster), ["subject_id", "source"]
    for day in range(2):
        days.write(day, named=True)
        (file,) = days.folder.glob(f"{day:02}.*")
        pl.read_parquet(file).rename({"subject_id": "patient", "source": "hospital"}).write_parquet(file)
    columns = dict(zip(ours, ["patient", "hospital"], strict=True))
    source = SourceConfig.model_validate({"uri": f"{days.folder}/*.parquet", "format": "parquet", "columns": columns})
    rows = examples(days, days.build(days.publish(source)))
    assert [rows[name].n_unique() for name in ours] == [11, 2]


def test_a_night_run_twice_changes_nothing_and_the_next_takes_only_what_is_new(days: Days) -> None:
    validated = days.publish()
    night = days.build(validated)
    assert days.build(validated) == night
    days.write(3, labels=["top", "aside", "bottom"])
    later = days.build(days.publish())
    new = str(FIRST + timedelta(days=3))
    assert later.windows == (PAST, HELD, new)
    assert classes(days) == {"bottom": 0, "middle": 1, "top": 2, "aside": 3}
    assert Counter(examples(days, later)["window"])[new] == A_DAY - 1
    with pytest.raises(OutOfOrderError, match="version 0 was asked for, but the tables have version 1 already"):
        days.build(validated)


def test_a_night_that_died_between_its_commits_goes_on_as_it_was_planned(days: Days) -> None:
    validated, tables = days.publish(), Tables(days.workspace.tables)
    with Client(days.cluster, set_as_default=False) as client:
        _begin(client, tables, tables.due(validated.truth, 30), validated.truth, FEATURES, HELD_OUT, "UTC")
    assert (tables.nights.begun, tables.nights.done) == (validated.truth, None)
    with pytest.raises(OtherFeaturesError, match=r"(?s)\.size: the tables have 12, .* 8.*channels: .* have 1, .* 3\n"):
        days.build(validated, FeatureConfig(size=8, channels="rgb"))
    night = days.build(validated, held_out=HeldOut(min_targets=30, min_units=30))  # would cut elsewhere
    assert night.windows == (PAST, HELD)
    assert examples(days, night).height == 3 * (A_DAY - 1)


def test_a_night_that_died_is_finished_before_the_next_begins(days: Days) -> None:
    validated, tables = days.publish(), Tables(days.workspace.tables)
    with Client(days.cluster, set_as_default=False) as client:
        _begin(client, tables, tables.due(validated.truth, 30), validated.truth, FEATURES, HELD_OUT, "UTC")
    days.write(3)
    night = days.build(days.publish())
    assert len(night.windows) == 3
    assert Counter(examples(days, night)["window"]) == dict(zip(night.windows, (38, 19, 19), strict=True))


def test_a_file_of_many_pictures_is_written_in_pieces(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    validated, tables = days.publish(), Tables(days.workspace.tables)
    with Client(days.cluster, set_as_default=False) as client:
        _begin(client, tables, tables.due(validated.truth, 30), validated.truth, FEATURES, HELD_OUT, "UTC")
    monkeypatch.setattr(cut, "IMAGES_AT_ONCE", 6)
    monkeypatch.setattr(pieces, "BYTES_OF_A_PART", 4_500)  # of six there are some 1,800
    due, *_ = tables.due(validated.truth, 30)
    assert cut.count_labels(due, "UTC").total() == 19
    to = pieces.Destination(tables.plan(), "UTC", tables.folder, EXAMPLES, "night")
    made = cut.cut_file(cut.Order(due, to, classes(days), FEATURES))
    assert [part.rows for part in made.parts] == [12, 7]
    assert (made.read, made.written, made.waiting) == (20, 19, 1)


def test_a_window_without_any_label_is_a_window_all_the_same(days: Days) -> None:
    days.build(days.publish())
    days.write(3, unlabelled=A_DAY)
    night = days.build(days.publish())
    assert night.windows == (PAST, HELD, str(FIRST + timedelta(days=3)))
    assert waiting(days) == Waiting(rows_waiting=3 + A_DAY)


def test_a_label_that_comes_later_finds_its_picture_which_is_judged_then(days: Days) -> None:
    days.build(days.publish())
    days.write(3, unlabelled=5)
    days.build(days.publish())
    assert waiting(days) == Waiting(rows_waiting=3 + 5)
    days.write(4, unlabelled=0)
    days.label([("3-2", "top", 4), ("3-1", "top", 4), ("3-1", "middle", 3), ("3-7", "top", 4), ("nobody", "top", 4)])
    night = days.build(days.publish())
    assert waiting(days) == Waiting(rows_waiting=3 + 3, labels_waiting=1)
    rows = examples(days, night).filter(pl.col("window") == night.window.key)
    numbers = classes(days)
    assert rows.height == A_DAY + 2, "two of five that waited; one had a label of its own, one nobody knows"
    assert night.window.key == str(FIRST + timedelta(days=4))
    at_noon = rows.filter(pl.col("seen_at").dt.hour() == 12)["class_number"].to_list()
    assert at_noon == [numbers["middle"], numbers["top"]], "of two labels the first in time counts"
    days.label([("3-2", "middle", 4)])
    days.write(5, unlabelled=0)
    assert examples(days, days.build(days.publish())).height == 3 * (A_DAY - 1) + A_DAY - 5 + A_DAY + 2 + A_DAY


def test_broken_pictures_lie_in_quarantine_with_their_rule_and_as_they_begin(days: Days) -> None:
    whole = encoded(bars(1)[0][0, :, :, 0])
    large = encoded(np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8))[:-50]
    days.write(3, broken=[whole[:-30], b"GIF89a", large])
    validated = days.publish()
    assert validated.quarantined == 3
    rows = Table(days.workspace.tables, QUARANTINE).read().to_pylist()
    seen = {row["source_row"]: (row["rule"], json.loads(row["row"])["image"]) for row in rows}
    assert seen == {
        A_DAY: (UNDECODABLE, base64.b64encode(whole[:-30]).decode()),
        A_DAY + 1: (NO_PICTURE, base64.b64encode(b"GIF89a").decode()),
        A_DAY + 2: (UNDECODABLE, base64.b64encode(large[:192]).decode() + "…"),
    }


def test_archives_of_pictures_are_taken_with_their_folders_for_labels(tmp_path: Path, cluster: str) -> None:
    days = Days(tmp_path, cluster)
    with tarfile.open(days.folder / "pictures.tar", "w") as archive:
        for day in range(2):
            for number, picture in enumerate(bars(12, seed=day)[0]):
                data = encoded(picture[:, :, 0])
                member = tarfile.TarInfo(f"label={'cat' if number % 2 else 'dog'}/{day}-{number}.png")
                member.size, member.mtime = len(data), (FIRST - date(1970, 1, 1) + timedelta(days=day)).total_seconds()
                archive.addfile(member, BytesIO(data))
    columns = {"image": "bytes", "label": "folder", "seen_at": "modified"}
    source = SourceConfig.model_validate({"uri": f"{days.folder}/*.tar", "format": "files", "columns": columns})
    night = days.build(days.publish(source))
    assert night.windows == (str(FIRST), str(FIRST + timedelta(days=1)))
    assert classes(days) == {"cat": 0, "dog": 1}
    assert examples(days, night).height == 24


def test_too_few_pictures_to_judge_are_refused(days: Days) -> None:
    with pytest.raises(
        TooFewTargetsError, match=r"57 labelled images with 57 targets on 3 days. Wanted at the end .* 57 targets"
    ):
        days.build(days.publish(), held_out=HeldOut(min_targets=57, min_units=1))


def test_images_have_no_leave_one_out(days: Days) -> None:
    with pytest.raises(OtherFeaturesError, match="'leave_one_out' is for sequences"):
        build_night(days.workspace, days.publish(), HELD_OUT, FEATURES, "leave_one_out", days.cluster)
