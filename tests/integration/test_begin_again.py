"""The README's "delete var/ to begin again", with the model server still running."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data_contracts.bundle import bundle_digest
from data_contracts.serving import ServerState
from tests.integration.conftest import House
from tests.integration.nights import SHOP, small_house

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path, prefect_server: str) -> Iterator[House]:
    """A small house, whose servers end with the test."""
    house = small_house(tmp_path / "home", prefect_server)
    yield house
    house.run("flows.services", "down")


def make_nightly(house: House) -> str:
    """Do what `make nightly` does; returns what the night printed."""
    house.run("flows.services", "serve")
    house.shop(*SHOP, "--days", "3")
    return house.run("flows.nightly")


def state(house: House) -> ServerState:
    url = house.settings().serving.rest_url
    return ServerState.model_validate_json(httpx.get(f"{url}/nightshift/models/shop", timeout=60).content)


def test_a_home_that_is_deleted_begins_again_and_its_new_version_1_answers(small: House) -> None:
    assert "shop version 1: promoted" in make_nightly(small)
    old = state(small).served
    shutil.rmtree(small.home)
    second = make_nightly(small)
    assert "shop version 1: promoted" in second, second
    new = state(small).served
    assert old is not None
    assert new is not None
    assert (old.version, new.version) == ("1", "1")
    assert new.digest == bundle_digest(small.settings().workspace().tracking_uri, "shop", "1") != old.digest
