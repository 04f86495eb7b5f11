"""A table is opened once by each room that reads it: opening it reads its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed import Client

from tests.openings import openings
from tests.tasks.validate.logs import Shop, lines, on_day

MOST = 6
"""Tables opened by ingest and validate: the rows, those in quarantine, and which files both were in, once by each."""


@pytest.fixture
def shop(tmp_path: Path, cluster: str) -> Shop:
    """A shop after two nights, so that all its tables are there."""
    shop = Shop(tmp_path, cluster)
    for day in range(2):
        shop.night(f"{day}.csv", [*lines(on_day(day)), f",i,{on_day(day)},1"])
    return shop


def test_an_ordinary_night_opens_few_tables(shop: Shop, cluster: str) -> None:
    shop.write("2.csv", [*lines(on_day(2)), f",i,{on_day(2)},1"])
    with openings(cluster) as by_ingest:
        staged = shop.stage()
    with openings(cluster) as by_validate:
        validated = shop.validate(staged)
    assert (validated.accepted, validated.quarantined) == (300, 1)
    assert len(by_ingest) + len(by_validate) <= MOST, (by_ingest, by_validate)


def test_openings_are_counted_on_workers_too(shop: Shop, cluster: str) -> None:
    with openings(cluster) as opened:
        assert shop.table("events").version() == 1
        with Client(cluster, set_as_default=False) as client:
            client.submit(shop.table("events").version, pure=False).result()
    assert opened == ["events", "events"]
    with openings(cluster) as opened:
        pass
    assert opened == []
