"""Eight days of the shop as it is by default, simulated once."""

from __future__ import annotations

import polars as pl
import pytest

from examples.shop_world import World, WorldConfig

DAYS = 8


@pytest.fixture(scope="session")
def week() -> pl.DataFrame:
    """The clean events of eight days, with ``day`` from 1."""
    world = World(WorldConfig())
    return pl.concat([world.next_day().with_columns(day=pl.lit(number)) for number in range(1, DAYS + 1)])
