"""A table is opened once by each room that reads it: opening it reads its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import Client

from data_contracts.night import HeldOut, Night, Validated
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tests.openings import openings
from tests.tasks.validate.logs import Shop, lines, on_day

MOST = {"ingest": 3, "validate": 3, "preprocess": 6}
"""Of rows from outside: the sound ones, those in quarantine, and which files both were in. Preprocess reads the truth
of tonight and of the night before, and opens each of its own tables."""


def write(shop: Shop, day: int) -> None:
    """Write a day's log, with a row that is broken."""
    shop.write(f"{day}.csv", [*lines(on_day(day)), f",i,{on_day(day)},1"])


def build(shop: Shop, validated: Validated, cluster: str) -> Night:
    held_out = HeldOut(min_targets=1, min_units=1)
    return build_night(shop.workspace, validated, held_out, FeatureConfig(), "nightly", cluster)


@pytest.fixture
def shop(tmp_path: Path, cluster: str) -> Shop:
    """A shop after two nights, so that all its tables are there."""
    shop = Shop(tmp_path, cluster)
    write(shop, -1)
    for day in range(2):
        write(shop, day)
        build(shop, shop.night(), cluster)
    return shop


@pytest.mark.slow
def test_an_ordinary_night_opens_few_tables(shop: Shop, cluster: str) -> None:
    write(shop, 2)
    with openings(cluster) as by_ingest:
        staged = shop.stage()
    with openings(cluster) as by_validate:
        validated = shop.validate(staged)
    with openings(cluster) as by_preprocess:
        night = build(shop, validated, cluster)
    assert (validated.accepted, validated.quarantined, night.windows[-1]) == (300, 1, str(on_day(2)))
    opened = {"ingest": by_ingest, "validate": by_validate, "preprocess": by_preprocess}
    assert {room: len(tables) for room, tables in opened.items()} == MOST, opened


def test_openings_are_counted_on_workers_too(tmp_path: Path, cluster: str) -> None:
    shop = Shop(tmp_path, cluster)
    shop.night("a.csv", lines(on_day(0)))
    with openings(cluster) as opened:
        assert shop.table("events").version() == 0
        with Client(cluster, set_as_default=False) as client:
            client.submit(shop.table("events").version, pure=False).result()
    assert opened == ["events", "events"]
    with openings(cluster) as opened:
        pass
    assert opened == []
