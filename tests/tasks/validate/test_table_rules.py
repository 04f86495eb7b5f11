"""Rules about all rows of a night, from its files to the page, or to the error that stops it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from data_contracts.buckets import Buckets, bucket_of_row
from data_contracts.contract import ContractViolationError, Limits
from data_contracts.recommender.events import EVENTS
from data_contracts.staged import BUCKET, write_part
from data_contracts.staging import staging
from tasks.validate import remembered
from tasks.validate.aggregates import Aggregates
from tasks.validate.config import ValidationConfig
from tasks.validate.ranges import Order, Share, validate_share
from tasks.validate.report import NOTHING
from tasks.validate.table_rules import TableRules
from tests.killing import Killed, killed_at
from tests.tasks.validate.logs import DAY, Shop, lines, on_day, status
from tests.tasks.validate.test_labels import DAY as SENT
from tests.tasks.validate.test_labels import House, house

__all__ = ["house"]

TABLE = {
    "distinct": {"user_id": {"at_least": 7, "at_most": 7}, "item_id": {"at_least": 100}},
    "quantiles": {"value": {"0.5": {"at_least": 1, "at_most": 50}, "0.99": {"at_most": 100}}},
}


def config(table: Mapping[str, Any], **others: Any) -> ValidationConfig:
    return ValidationConfig.model_validate({"table": table, "complete_day": 0, **others})


def text_of(page: str | Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", Path(page).read_text(encoding="utf-8")).split())


def kinds(shop: Shop, number: int, **rows: int) -> None:
    """Write a file of a day, so many rows of each kind."""
    every = [
        f"u{n % 7},{kind}{n},{on_day(number)}T10:00:00Z,{kind}" for kind, many in rows.items() for n in range(many)
    ]
    (shop.logs / f"{number}.csv").write_text("\n".join(["user_id,item_id,timestamp,event", *every]) + "\n")


def test_a_night_within_its_bounds_says_what_it_saw(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    late, again = [f"late,i9,{on_day(-99)}T10:00:00Z,1"], lines(DAY)
    shop.night("0.csv", lines(on_day(-1)))
    with caplog.at_level(logging.INFO):
        validated = shop.night("a.csv", [*lines(DAY), *again, *late], config=config(TABLE))
    said = (
        "distinct values of 'user_id': 7, wanted at least 7 and at most 7",
        "distinct values of 'item_id': 300, wanted at least 100",
        "quantiles of 'value': 0.5 is 1, wanted at least 1 and at most 50; 0.99 is 1, wanted at most 100",
    )
    assert validated.of_table == said, "neither repeats nor a late row are in it"
    assert all(f"{each}." in caplog.text for each in said)
    assert status(validated.docs_uri) == "Succeeded"
    page = text_of(validated.docs_uri)
    for found in (
        "must have greater than or equal to 7 and less than or equal to 7 unique values. 7 ",
        "must have greater than or equal to 100 unique values. 300 ",
        "quantiles must be within the following value ranges. Quantile Min Value Max Value Median 1.0 50.0 0.99 Any",
        "Quantile Value Median 1.0 0.99 1.0",
    ):
        assert found in page
    assert not re.search(r"\b[ui]\d", page), "neither users nor items"


def test_broken_bounds_stop_the_night_all_at_once(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    broken = TABLE | {"distinct": {"user_id": {"at_least": 8}}, "quantiles": {"value": {"0.5": {"at_most": 0.5}}}}
    shop.write("a.csv", lines(DAY))
    with pytest.raises(ContractViolationError) as error:
        shop.night(config=config(broken))
    (page,) = Path(shop.workspace.docs).iterdir()
    head, *problems, step = str(error.value).splitlines()
    assert re.fullmatch(r"'events' \S+: 2 rules about all rows broken by 300 new ones\.", head)
    assert problems == [
        "  - distinct values of 'user_id': 7, wanted at least 8",
        "  - quantiles of 'value': 0.5 is 1, wanted at most 0.5",
    ]
    assert step == (
        f"Nothing was published. Every rule: {page}. Look for missing files and for what changed in the source; or "
        "change validation.table.distinct and validation.table.quantiles, or take distinct and quantiles out of "
        "validation.stop_on to be warned only."
    )
    assert status(page) == "Failed"
    assert shop.table("events").version() is None
    assert shop.files("tables") == shop.files("staging") == []
    with caplog.at_level(logging.WARNING):
        warned = shop.night(config=config(broken | {"distinct": {}}, stop_on=["distinct"]))
    assert warned.of_table == ("quantiles of 'value': 0.5 is 1, wanted at most 0.5 (BROKEN)",)
    assert "0.5 is 1, wanted at most 0.5." in caplog.text
    assert status(warned.docs_uri) == "Succeeded", "it was only warned of"


def test_a_night_of_nothing_but_repeats_breaks_no_rule(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.night("0.csv", lines(DAY))
    asked = config({"distinct": {"user_id": {"at_least": 100}}, "drift": {"event": 0.1}})
    with caplog.at_level(logging.INFO):
        again = shop.night("again.csv", lines(DAY), config=asked)
    assert (again.accepted, again.repeats, again.of_table) == (0, 300, ())
    assert "rules about all of them say nothing" in caplog.text


def test_a_column_of_nothing_but_nulls_has_no_median(shop: Shop) -> None:
    rows = [f"u{n},i{n},{DAY}T10:00:00Z," for n in range(9)]
    with pytest.raises(ContractViolationError, match=r"0\.5 is not there, wanted at least 1"):
        shop.night("a.csv", rows, config=config({"quantiles": {"value": {"0.5": {"at_least": 1}}}}))


def test_drift_is_said_then_warned_of_then_stops_a_night(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    asked = config({"drift": {"event": 0.2}}, allowed={"event": ("view", "buy")})
    for number in range(9):
        many = {"buy": 60, "view": 140} if number != 5 else {"buy": 140, "view": 60}
        kinds(shop, number, **many)
        if number == 4:
            with pytest.raises(Killed), killed_at("events", "before", disk=Path(shop.workspace.home)):
                shop.night(config=asked)
        if number == 0:
            shop.night(config=config({}))  # it remembers no mix
            continue
        caplog.clear()
        night = shop.night(config=asked)
        assert shop.night(config=asked) == night.model_copy(update={"docs_uri": "", "of_table": ()})
        (said,) = night.of_table
        if number < 4:
            assert f"not judged, {number - 1} of the nights before have its mix" in said
        else:
            assert f"than in {min(number - 1, 7)} nights before, wanted at most 20.0 %" in said, "a killed one is one"
        assert ("WARNING" in caplog.text) == (number == 5) == ("BROKEN" in said)
    assert len(remembered.mixes_before(shop.table("events"), ["event"])["event"]) == 7
    kinds(shop, 9, buy=150, view=50)
    with pytest.raises(ContractViolationError, match=r"drift of 'event': 3\d.\d % .* than in 7 nights .*'buy' 75.0 %"):
        shop.night(config=asked)
    assert shop.table("events").read().num_rows == 9 * 200
    page = max(Path(shop.workspace.docs).iterdir())
    assert "total variation to the mix of the nights before must be at most 0.2" in text_of(page)
    assert status(page) == "Failed"


def test_labels_have_rules_of_their_own(house: House) -> None:
    asked = ValidationConfig.model_validate(
        {
            "max_quarantined": 0.5,
            "complete_day": 0,
            "table": {"quantiles": {"distance_km": {"1": {"at_most": 10}}}},
            "labels_table": {"quantiles": {"hours": {"0.5": {"at_least": 6}}}},
        }
    )
    with pytest.raises(ContractViolationError, match=r"(?s)'arrivals' .*change validation.labels_table.quantiles"):
        house.night(asked)
    house.write("told", "0.csv", [f"p{n},7,{SENT}T09:00:00Z" for n in range(3)])
    assert house.night(asked).of_table == ("quantiles of 'distance_km': 1 is 10, wanted at most 10",)


def test_rows_of_a_share_that_is_cut_into_pieces_count_once(tmp_path: Path) -> None:
    asked = TableRules.model_validate({**TABLE, "drift": {"event": 0.1, "item_id": 0.1}})
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    every = [
        {"user_id": f"u{n % 3}", "item_id": f"i{n}", "event": "view", "timestamp": at, "value": n} for n in range(900)
    ]
    staged = [{**row, "source_file": "a.csv", "source_row": n} for n, row in enumerate([*every, *every])]
    frame = pl.DataFrame(pa.Table.from_pylist(staged, staging(EVENTS).schema)).with_columns(
        pl.col("source_file").cast(pl.Enum(["a.csv"])), bucket_of_row(EVENTS).alias(BUCKET), day=pl.lit(DAY)
    )
    part = write_part(frame, str(tmp_path), "part", 1)
    limits = Limits(first_day=DAY, earliest=DAY, latest=DAY)

    def kept(*shares: Share) -> Aggregates:
        names = {part.name: 0}
        order = Order(str(tmp_path), names, 1, "n", f"{tmp_path}/t", "recommender", "source", limits, {}, asked)
        return reduce(add, [validate_share(share, order).report for share in shares], NOTHING).aggregates

    whole = kept(Share(buckets=Buckets()))
    cut = kept(Share(buckets=Buckets(first=500), pieces=3), Share(buckets=Buckets(end=500), pieces=2))
    assert whole.mixes == cut.mixes
    assert whole.mixes["item_id"].rows == 900
    for name in asked.distinct:
        assert whole.distinct[name].estimate() == cut.distinct[name].estimate()
    assert [each.quantiles["value"].at(0.9).seen for each in (whole, cut)] == [809, 809]
