"""Rows and their labels come from two sources, into two tables, each with a quarantine of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from data_contracts.contract import ContractViolationError
from data_contracts.night import Validated, Workspace
from data_contracts.staging import LABELS
from data_contracts.table import Table
from data_contracts.use_cases import promises
from flows.conserved import conserved
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.ingest.stage import stage_night
from tasks.tidy.prune import prune
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_labels, validate_night
from tests.killing import Killed, Moment, killed_at

DAY = date(2026, 3, 1)
CONFIG = ValidationConfig(max_quarantined=0.5, complete_day=0)


class House:
    """Parcels and what is told of them, and nights."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.workspace = Workspace(
            name="parcels", use_case="tests.parcels", home=str(home / "home"), tracking_uri="sqlite://"
        )
        self.home, self.cluster = home, cluster

    def write(self, kind: str, name: str, lines: Sequence[str]) -> None:
        """Write a file of one of the sources."""
        head = {"sent": "parcel_id,distance_km,sent_at", "told": "parcel_id,hours,arrived_at"}[kind]
        (self.home / kind).mkdir(exist_ok=True)
        (self.home / kind / name).write_text("\n".join([head, *lines]) + "\n")

    def night(self, config: ValidationConfig = CONFIG) -> Validated:
        """Take labels, then rows, as the flow does."""
        told, sent = LabelSourceConfig(uri=str(self.home / "told")), SourceConfig(uri=str(self.home / "sent"))
        labels = stage_night(self.workspace, told, self.cluster)
        validate_labels(self.workspace, labels, config, self.cluster)
        staged = stage_night(self.workspace, sent, self.cluster)
        return validate_night(self.workspace, staged, None, config, self.cluster)

    def table(self, name: str) -> Table:
        """Open one of the tables."""
        return Table(self.workspace.tables, promises("tests.parcels").contracts[name])

    def keys(self, name: str) -> list[str]:
        """Ids in a table of rows as they came, or rules in one of the others, sorted."""
        column = "rule" if name.startswith("quarantine") else "parcel_id"
        return sorted(self.table(name).read()[column].to_pylist())

    def everything(self) -> dict[str, list[str]]:
        """What the four tables have."""
        return {name: self.keys(name) for name in WANTED}


@pytest.fixture
def house(tmp_path: Path, cluster: str) -> House:
    made = House(tmp_path, cluster)
    made.write("sent", "0.csv", [f"p{n},10,{DAY}T08:00:{n:02}Z" for n in range(4)] + [f"p9,-1,{DAY}T08:00:00Z"])
    made.write("told", "0.csv", [f"p{n},5,{DAY}T09:00:00Z" for n in range(3)] + [f"p1,-5,{DAY}T09:00:00Z"])
    return made


WANTED = {
    "quarantine_arrivals": ["hours below 0"],
    "arrivals": ["p0", "p1", "p2"],
    "quarantine": ["distance_km is no distance on this planet"],
    "parcels": ["p0", "p1", "p2", "p3"],
}


def test_each_source_has_its_tables_and_its_rows_are_conserved(house: House) -> None:
    validated = house.night()
    assert house.everything() == WANTED
    assert (validated.rows_read, validated.accepted, validated.quarantined) == (5, 4, 1)
    told = {name: house.table("arrivals").mark(name) for name in ("rows_read", "accepted", "quarantined", "rows")}
    assert told == {"rows_read": 4, "accepted": 3, "quarantined": 1, "rows": 3}
    of_rows, of_labels = conserved(house.workspace, [LabelSourceConfig(uri="told", format="csv", arrival="order")])
    assert of_rows == "rows read 5 = accepted 4 + quarantined 1 + dropped 0 + repeats 0 + left out 0"
    assert of_labels.startswith(
        "labels read 4 = accepted 3 + quarantined 1 + dropped 0 + repeats 0 + left out 0; their"
    )
    assert of_labels.endswith("(labels.arrival: order)")
    assert house.table("parcels").mark(LABELS) == 0
    pages = sorted(path.name for path in Path(house.workspace.docs).iterdir())
    assert pages == ["arrivals-000000.html", "parcels-000000.html"]


def test_only_the_truth_opens_windows_and_each_sees_the_labels_that_are_there(house: House) -> None:
    first = house.night()
    house.write("told", "1.csv", ["p3,5,2026-03-02T09:00:00Z", "p0,5,2026-03-01T09:00:00Z"])
    again = house.night()
    assert (again.truth, again.window) == (first.truth, first.window)
    assert house.table("arrivals").mark("repeats") == 1
    assert house.table("parcels").mark(LABELS, again.truth) == 0
    house.write("sent", "1.csv", ["p5,10,2026-03-02T08:00:00Z"])
    later = house.night()
    assert (later.window.last_day, house.table("parcels").mark(LABELS, later.truth)) == (date(2026, 3, 2), 1)


def test_rows_are_known_to_wait_before_anybody_said_anything(house: House) -> None:
    (house.home / "told" / "0.csv").write_text("parcel_id,hours,arrived_at\n")
    house.night()
    assert (house.table("arrivals").version(), house.table("parcels").mark(LABELS)) == (0, 0)
    assert house.keys("arrivals") == []


def test_labels_that_are_all_broken_stop_the_night_before_any_row_is_taken(house: House) -> None:
    house.write("told", "0.csv", ["p0,-1,2026-03-01T09:00:00Z"])
    with pytest.raises(ContractViolationError, match=r"(?s)'arrivals' .* 1 rule broken in 1 rows.*Fix the labels\."):
        house.night()
    assert house.table("arrivals").version() is house.table("parcels").version() is None


@pytest.mark.parametrize(
    ("point", "moment"),
    [("quarantine_arrivals", "after"), ("arrivals", "after"), ("quarantine", "after"), ("parcels", "before")],
)
def test_a_night_killed_at_any_commit_of_either_source_is_finished(house: House, point: str, moment: Moment) -> None:
    with pytest.raises(Killed), killed_at(point, moment, disk=Path(house.workspace.home)):
        house.night()
    house.write("told", "1.csv", ["p3,5,2026-03-01T09:00:00Z"])  # and more comes in between
    house.night()
    validated = house.night()
    prune(house.workspace, "", runs=1)
    assert house.everything() == WANTED | {"arrivals": ["p0", "p1", "p2", "p3"]}
    assert validated.window.last_day == DAY
