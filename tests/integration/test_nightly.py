"""Nights on a small made-up shop, from the command line, as a newcomer runs them.

A second whole night, beside a champion, is in test_disturbed.py.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

import httpx
import polars as pl
import pytest
from mlflow import MlflowClient

from data_contracts.bundle import bundle_digest
from data_contracts.night import Night
from data_contracts.serving import ServerState, VersionHeld
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.deploy.client import ask_over_rest
from tests.integration.conftest import House, until
from tests.models.serving.tiny_shop import register_two
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow

SHOWN = "u-of-a-refused-row"
"""Somebody whose row a failed night shows, and so Prefect keeps."""


def versions(house: House) -> dict[str, int | None]:
    """Version of every table."""
    workspace = house.settings().workspace()
    found = {name: Table(workspace.tables, contract) for name, contract in promises("recommender").contracts.items()}
    return {name: table.version() for name, table in found.items()}


def champion(house: House) -> str:
    """Number of the version that has the alias."""
    client = MlflowClient(tracking_uri=house.settings().workspace().tracking_uri)
    return str(client.get_model_version_by_alias("shop", "champion").version)


def make_nightly(house: House) -> str:
    """Do what `make nightly` does first; returns what the night printed."""
    house.run("flows.services", "serve")
    house.shop("--days", "3")
    return house.run("flows.nightly")


def served(house: House) -> VersionHeld:
    """What the model server has in service, once it has something."""
    url = f"{house.settings().serving.rest_url}/nightshift/models/shop"

    def found() -> VersionHeld | None:
        return ServerState.model_validate_json(httpx.get(url, timeout=LONG_SECONDS).content).served

    assert until(lambda: found() is not None, LONG_SECONDS)
    held = found()
    assert held is not None
    return held


def test_a_first_night_is_promoted_and_served_by_a_server_that_still_has_what_was_deleted(
    house: House, tmp_path: Path
) -> None:
    """The README's way to begin again: delete ``var/``, and leave the model server running."""
    register_two(tmp_path)
    shutil.copy(tmp_path / "mlflow.db", house.home)  # MLflow keeps open, in this process, what it opens
    house.run("flows.services", "serve")
    old = served(house)
    shutil.rmtree(house.home)
    first = make_nightly(house)
    assert "shop version 1: promoted" in first, first
    assert all(
        word in first for word in ("candidate", "popularity", "markov", "best reachable", "over REST", "over gRPC")
    )
    new = served(house)
    assert (old.version, new.version) == ("1", "1")
    assert new.digest == bundle_digest(house.settings().workspace().tracking_uri, "shop", "1") != old.digest


def test_another_night_without_new_files_changes_nothing(house: House) -> None:
    before = versions(house)
    again = house.run("flows.nightly")
    assert "No new decision" in again, again
    assert versions(house) == before


def test_a_version_says_what_it_was_made_of_and_why_it_was_promoted(house: House) -> None:
    client = MlflowClient(tracking_uri=house.settings().workspace().tracking_uri)
    version = client.get_model_version("shop", "1")
    night = Night.model_validate_json(version.tags["nightshift.night"])
    assert night.windows[-1] == night.window.key == "2026-01-03"
    assert version.tags["nightshift.trained_through"] == "2026-01-02"
    assert version.tags["nightshift.reason"]
    assert version.tags["nightshift.git_commit"]
    run = client.get_run(str(version.run_id))
    assert run.info.status == "FINISHED"
    assert run.inputs.dataset_inputs, "the data's version is an input of the run"
    assert len(client.get_metric_history(run.info.run_id, "validation/ndcg_at_10")) >= 1


def test_a_night_of_broken_rows_stops_and_publishes_nothing(house: House) -> None:
    before, serving = versions(house), champion(house)
    with gzip.open(house.home / "logs" / "2026-01-05.csv.gz", "wt") as file:
        file.write("user_id,item_id,event,timestamp,value\n" + f"{SHOWN},i00001,view,soon,1.0\n" * 50)
    printed = house.run("flows.nightly", "--through", "2026-01-05", code=1)
    assert "Nothing was published" in printed, printed
    assert SHOWN in printed, printed
    assert "The night failed. ContractViolationError: " in printed, printed
    assert "Traceback" not in printed, printed
    assert "View at" not in printed, "Prefect has no pages unless `make up` runs"
    assert (versions(house), champion(house)) == (before, serving)


def test_who_is_forgotten_is_named_nowhere_in_the_home_and_served_no_more(house: House, tmp_path: Path) -> None:
    workspace = house.settings().workspace()
    users = pl.DataFrame(Table(workspace.tables, promises("recommender").truth).read())["user_id"].unique().sort()
    gone, stays = users[0], users[1]
    assert {SHOWN, gone, stays} <= named(house, [SHOWN, gone, stays])
    people = tmp_path / "people.txt"
    people.write_text(f"{gone}\r\n{SHOWN}\nnobody\n", encoding="utf-8")
    printed = house.run("flows.forget", str(people))
    assert "versions that learned from them: 1" in printed, printed
    assert "shop version 1 is served without them." in printed, printed
    assert named(house, [SHOWN, gone, stays]) == {stays}
    serving = house.settings().serving
    answers = [ask_over_rest(serving, "shop", {"user_id": each, "k": 3}).values["source"] for each in (gone, stays)]
    assert answers[0] == "popular: unknown user" != answers[1]
    with gzip.open(house.home / "logs" / "2026-01-05.csv.gz", "wt") as file:
        file.write(f"user_id,item_id,event,timestamp,value\n{gone},i00001,view,2026-01-04T10:00:00Z,1.0\n")
    again = house.run("flows.nightly")
    assert "1 = accepted 0 + quarantined 0 + dropped 0 + repeats 0 + left out 0 + forgotten 1" in again, again
    assert "learned from people who are forgotten since" in again, again
    assert named(house, [SHOWN, gone, stays]) == {stays}


def named(house: House, ids: Sequence[str]) -> set[str]:
    """Return those of some ids that are in any file of the home, but for the raw logs, whatever is packed there."""
    found = set()
    for path in house.home.rglob("*"):
        if path.is_file() and house.home / "logs" not in path.parents:
            rows = str(pl.read_parquet(path, glob=False).to_dict(as_series=False)) if path.suffix == ".parquet" else ""
            content = path.read_bytes() + rows.encode()
            found |= {each for each in ids if each.encode() in content}
    return found
