"""What was taken is known at any moment: before, between and after the commits of a night, with an index or without."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from data_contracts.contract import DataContract
from data_contracts.files import FILES
from data_contracts.quarantine import QUARANTINE
from data_contracts.source_files import FILES_READ, SourceFiles, taken_note
from data_contracts.staging import NIGHT
from data_contracts.table import Table
from tests.killing import Killed, Moment, killed_at

EVENTS = DataContract(
    name="events", schema=pa.schema([("number", pa.int32())]), written_by="validate", read_by=("test",)
)


class Nights:
    """The three tables of one inflow, and nights that commit to them as validate does."""

    def __init__(self, folder: Path) -> None:
        self.events, self.quarantine, self.index = (
            Table(str(folder), contract) for contract in (EVENTS, QUARANTINE, FILES)
        )
        self.files = SourceFiles(self.events, self.quarantine, self.index)

    def begin(self, *names: str) -> None:
        """Commit to the index and to quarantine."""
        self.files.bring_up_to_date()
        self.quarantine.commit([], marks={NIGHT: self.events.next_version()}, notes=taken_note(names))

    def night(self, *names: str) -> None:
        """Commit a night to all three; one without files opens a window, say."""
        if names:
            self.begin(*names)
        else:
            self.files.bring_up_to_date()
        self.events.commit([], notes=taken_note(names))

    def before(self, *names: str) -> None:
        """Commit a night to both tables, as code did that had no index."""
        marks = {NIGHT: self.events.next_version()}
        self.quarantine.commit([], names, marks=marks)
        self.events.commit([], names)

    def indexed(self) -> dict[str, int]:
        """What the index has: it has nothing twice."""
        rows = self.index.read().to_pylist()
        found = {row["transaction"]: row["night"] for row in rows}
        assert len(found) == len(rows)
        return found

    def taken_back(self, version: int) -> None:
        """Take the newest commit of the truth back."""
        Path(self.events.uri, "_delta_log", f"{version:020}.json").unlink()


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def later(nights: Nights) -> Nights:
    """Open the tables anew, as another process does."""
    return Nights(Path(nights.events.uri).parent)


def test_a_file_is_unseen_until_a_night_took_it(nights: Nights) -> None:
    assert nights.files.unseen(["file:a"]) == {"file:a"}
    nights.night("file:a", "file:b")
    assert nights.indexed() == {}, "the next night sees to that"
    assert nights.files.unseen(["file:a", "file:b", "file:c"]) == {"file:c"}
    nights.night("file:c")
    nights.night()
    assert nights.indexed() == {"file:a": 0, "file:b": 0, "file:c": 1}
    assert later(nights).files.unseen(["file:a", "file:c", "file:d"]) == {"file:d"}


def test_an_index_that_lacks_nothing_is_left_alone(nights: Nights) -> None:
    nights.files.bring_up_to_date()
    assert nights.index.version() is None
    nights.night("file:a")
    for _ in range(2):
        nights.files.bring_up_to_date()
        assert nights.index.version() == 0
    nights.night()
    nights.night()
    assert nights.index.version() == 0, "nights without files bring it nothing"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("point", ["files", "quarantine", "events"])
def test_a_night_killed_between_any_two_commits_is_finished_or_begun_again(
    nights: Nights, point: str, moment: Moment
) -> None:
    nights.night("file:a")
    nights.night("file:b")
    with pytest.raises(Killed), killed_at(point, moment):
        nights.night("file:c", "file:d")
    nights = later(nights)
    is_in_quarantine = (point, moment) in {("quarantine", "after"), ("events", "before")}
    is_done = (point, moment) == ("events", "after")
    assert nights.files.unseen(["file:a", "file:b", "file:c"]) == (set() if is_done else {"file:c"})
    assert nights.files.begun() == ({"file:c", "file:d"} if is_in_quarantine else set())
    assert nights.files.were_begun(["file:d"]) == is_in_quarantine
    assert not nights.files.were_begun(["file:d", "file:e"])
    if not is_done:
        nights.night("file:c", "file:d")
    nights.night("file:e")
    assert nights.indexed() == {"file:a": 0, "file:b": 1, "file:c": 2, "file:d": 2}
    assert nights.files.begun() == set()


def test_a_night_that_died_twice_is_begun_with_the_files_of_both_times(nights: Nights) -> None:
    nights.night("file:a")
    nights.begin("file:b", "file:c")
    nights.begin("file:b")
    assert nights.files.begun() == {"file:b", "file:c"}


@pytest.mark.parametrize("count", [FILES_READ + 1, 3 * FILES_READ])
def test_the_index_of_many_nights_has_few_files_and_all_that_they_took(nights: Nights, count: int) -> None:
    for number in range(count):
        nights.night(f"file:{number}")
        assert len(nights.index.file_rows()) <= FILES_READ
    assert nights.index.version() == count - 2, "one commit a night"
    assert nights.indexed() == {f"file:{number}": number for number in range(count - 1)}
    assert nights.files.unseen(f"file:{number}" for number in range(count + 1)) == {f"file:{count}"}


def test_an_index_that_was_lost_is_made_anew(nights: Nights) -> None:
    for name in ("file:a", "file:b", "file:c"):
        nights.night(name)
    shutil.rmtree(nights.index.uri)
    nights = later(nights)
    assert nights.files.unseen(["file:a", "file:b", "file:c", "file:d"]) == {"file:d"}
    nights.night("file:d")
    assert nights.indexed() == {"file:a": 0, "file:b": 1, "file:c": 2}


def test_what_a_table_that_was_set_back_has_not_is_unseen_again(nights: Nights) -> None:
    for name in ("file:a", "file:b", "file:c", "file:d"):
        nights.night(name)
    nights.taken_back(3)
    nights.taken_back(2)
    nights.taken_back(1)
    nights = later(nights)
    assert nights.files.unseen(["file:a", "file:b", "file:c"]) == {"file:b", "file:c"}
    nights.night("file:c")
    nights.night("file:e")
    assert nights.indexed() == {"file:a": 0, "file:c": 1}
    assert nights.files.unseen(["file:b", "file:c", "file:e"]) == {"file:b"}


def test_a_table_that_was_lost_begins_with_an_index_that_knows_nothing(nights: Nights) -> None:
    nights.night("file:a")
    nights.night("file:b")
    shutil.rmtree(nights.events.uri)
    nights = later(nights)
    assert nights.files.unseen(["file:a", "file:b"]) == {"file:a", "file:b"}
    nights.night("file:b")
    assert nights.indexed() == {}
    nights.night("file:c")
    assert nights.files.unseen(["file:a", "file:b", "file:c"]) == {"file:a"}
    assert nights.indexed() == {"file:b": 0}


def _clean(nights: Nights, versions: Sequence[int]) -> None:
    """Take commits away that a checkpoint stands for, as ``cleanup_metadata`` does."""
    DeltaTable(nights.events.uri).create_checkpoint()
    for version in versions:
        Path(nights.events.uri, "_delta_log", f"{version:020}.json").unlink()


@pytest.mark.parametrize("cleaned", [[], [0], [0, 1]], ids=["whole log", "one commit gone", "two gone"])
def test_a_home_of_code_without_an_index_is_read_from_its_transactions(nights: Nights, cleaned: list[int]) -> None:
    nights.before("file:a", "file:b")
    nights.before("file:c")
    nights.events.commit([], marks={"window": 1})
    _clean(nights, cleaned)
    nights = later(nights)
    assert nights.files.unseen(["file:a", "file:b", "file:c", "file:d"]) == {"file:d"}
    nights.night("file:d")
    indexed = nights.indexed()
    assert indexed.keys() == {"file:a", "file:b", "file:c"}
    assert all(night <= 2 for night in indexed.values())
    nights.night("file:e")
    assert nights.indexed() == indexed | {"file:d": 3}


def test_a_night_that_died_before_the_upgrade_is_finished_after_it(nights: Nights) -> None:
    nights.before("file:a")
    nights.quarantine.commit([], ["file:b", "file:c"], marks={NIGHT: 1})
    assert nights.files.unseen(["file:a", "file:b"]) == {"file:b"}
    assert nights.files.begun() == {"file:b", "file:c"}
    nights.night("file:b")
    assert nights.files.begun() == set()
    assert nights.files.unseen(["file:b", "file:c"]) == {"file:c"}
