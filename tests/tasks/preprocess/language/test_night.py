from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from distributed import Client

from data_contracts.language.spelling import Characters
from data_contracts.language.symbols import FIRST as FIRST_NUMBER
from data_contracts.language.symbols import UNKNOWN
from data_contracts.night import HeldOut
from tasks.preprocess.errors import OtherFeaturesError, OutOfOrderError, TooFewTargetsError
from tasks.preprocess.language import cut, numbering
from tasks.preprocess.language.config import FeatureConfig
from tasks.preprocess.language.night import _begin, build_night
from tests.data_contracts.language.made_up import stories
from tests.tasks.preprocess.language.days import A_DAY, FEATURES, FIRST, HELD, HELD_OUT, PAST, Days


@pytest.fixture
def days(tmp_path: Path, cluster: str) -> Days:
    made = Days(tmp_path, cluster)
    for day in range(3):
        made.write(day)
    return made


def test_texts_become_numbers_and_the_last_day_is_held_out(days: Days) -> None:
    night = days.build(days.publish())
    assert (night.windows, night.window.key, night.window.first_day) == ((PAST, HELD), HELD, FIRST + timedelta(days=2))
    rows, spelling = days.examples(night), Characters(days.symbols)
    assert Counter(rows["window"]) == {PAST: 2 * A_DAY, HELD: A_DAY}
    wanted = [text.decode() for text in stories(A_DAY, seed=2)]
    held = rows.filter(pl.col("window") == HELD)
    assert [spelling.text(numbers) for numbers in held["symbols"]] == wanted
    assert held["characters"].to_list() == [len(text) for text in wanted]
    assert held["bytes"].to_list() == [len(text.encode()) for text in wanted]


def test_a_night_run_twice_changes_nothing_and_the_next_only_adds(days: Days) -> None:
    validated = days.publish()
    night = days.build(validated)
    assert days.build(validated) == night
    known = days.tables.numbered()
    days.write(3, ["новые буквы".encode(), "буквы новые и ещё".encode(), *stories(3, seed=3)])
    days.write(4, stories(2, seed=4), at=1)
    later = days.build(days.publish())
    new = str(FIRST + timedelta(days=3))
    assert later.windows == (PAST, HELD, new)
    assert days.tables.numbered().head(known.height).equals(known), "numbers never move"
    assert set(days.tables.numbered()["symbol"]) - set(known["symbol"]) == set("новые буквы") - {" "}
    assert Counter(days.examples(later)["window"])[new] == 7, "two came late"
    with pytest.raises(OutOfOrderError, match="version 0 was asked for, but the tables have version 1 already"):
        days.build(validated)


def test_a_night_that_died_between_its_commits_goes_on_as_it_was_planned(days: Days) -> None:
    validated, tables = days.publish(), days.tables
    with Client(days.cluster, set_as_default=False) as client:
        _begin(client, tables, tables.due(validated.truth), validated.truth, FEATURES, HELD_OUT, "UTC")
    assert (tables.nights.begun, tables.nights.done) == (validated.truth, None)
    with pytest.raises(
        OtherFeaturesError, match=r"features.tokens: the tables have 'characters', the settings say 'bytes'"
    ):
        days.build(validated, FeatureConfig(tokens="bytes"))
    night = days.build(validated, held_out=HeldOut(min_targets=1, min_units=20))  # would cut elsewhere
    assert night.windows == (PAST, HELD)
    assert days.examples(night).height == 3 * A_DAY


def test_bytes_need_no_numbers_of_their_own(days: Days) -> None:
    night = days.build(days.publish(), FeatureConfig(tokens="bytes"))
    assert days.tables.numbered().is_empty()
    first = days.examples(night)["symbols"][0]
    assert bytes(number - FIRST_NUMBER for number in first) == stories(A_DAY, seed=0)[0]


def test_a_byte_order_mark_at_the_beginning_is_no_symbol(days: Days) -> None:
    days.write(0, [b"\xef\xbb\xbfba do", b"\xef\xbb\xbf\xef\xbb\xbfba", *stories(A_DAY, seed=0)])
    rows, spelling = days.examples(days.build(days.publish())), Characters(days.symbols)
    assert "\ufeff" not in days.symbols, "it is in one document, and a symbol is in two"
    by_length = dict(rows.select("characters", "symbols").iter_rows())
    assert spelling.text(by_length[5]) == "ba do"
    assert by_length[3][0] == UNKNOWN, "the second one is a symbol"
    assert set(rows.filter(pl.col("characters") == 3)["bytes"]) == {5}


def test_a_file_of_many_texts_is_written_in_pieces(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    validated, tables = days.publish(), days.tables
    with Client(days.cluster, set_as_default=False) as client:
        _begin(client, tables, tables.due(validated.truth), validated.truth, FEATURES, HELD_OUT, "UTC")
    monkeypatch.setattr(cut, "DOCUMENTS_AT_ONCE", 5)
    monkeypatch.setattr(cut, "BYTES_OF_A_PART", 1_000)
    ((file, rows), *_) = sorted(tables.due(validated.truth).items())
    assert cut.count_characters(file, "UTC").days[FIRST].units == A_DAY
    order = cut.Order(file, rows, tables.plan(), "UTC", tables.folder, "part", "characters", days.symbols)
    parts = cut.cut_file(order)
    assert len(parts) > 1
    assert sum(part.rows for part in parts) == A_DAY


def test_characters_beyond_the_most_that_have_numbers_are_unknown(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "MAX_SYMBOLS", 6)
    rows = days.examples(days.build(days.publish()))
    assert days.tables.numbered().height == 6
    texts = [text.decode() for day in range(3) for text in stories(A_DAY, seed=day)]
    often = Counter(character for text in texts for character in set(text))
    assert min(often[symbol] for symbol in days.symbols) >= sorted(often.values())[-6]
    unknown = sum(character not in days.symbols for text in texts for character in text)
    assert (rows["symbols"].explode() == UNKNOWN).sum() == unknown


def test_too_little_to_judge_is_refused(days: Days) -> None:
    with pytest.raises(TooFewTargetsError, match=r"36 documents with .* Wanted at the end .* with 30 documents"):
        days.build(days.publish(), held_out=HeldOut(min_targets=1, min_units=30))


def test_documents_have_no_leave_one_out(days: Days) -> None:
    with pytest.raises(OtherFeaturesError, match="'leave_one_out' is for sequences"):
        build_night(days.workspace, days.publish(), HELD_OUT, FEATURES, "leave_one_out", days.cluster)
