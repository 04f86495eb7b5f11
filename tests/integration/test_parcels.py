"""A use case that nobody here knows goes through whole nights, is served, and answers: `tests.parcels`."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from data_contracts.use_cases import promises
from tests.integration.conftest import House, make_house
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)
A_DAY = 400
SETTINGS = """
name: parcels
use_case: tests.parcels
source: {format: csv, columns: {sent_at: sent}}
labels: {format: csv, columns: {arrived_at: arrived}}
held_out: {min_targets: 100, min_units: 100}
model: {fit: {max_epochs: 12, batch_size: 40}}
cluster: {workers: 1}
"""
PLAIN = """
import sys, mlflow, pandas
sys.modules["pytorch_lightning"] = None  # it is not needed to answer
mlflow.set_tracking_uri(sys.argv[1])
frame = pandas.DataFrame({"distance_km": [500.0]})
print(mlflow.pyfunc.load_model("models:/parcels@champion").predict(frame).to_json(orient="records"))
"""


def hours(km: float) -> float:
    """What a parcel really takes."""
    return 4 + 6 * (1 + km) ** 0.25


def sent_on(day: int) -> Iterator[tuple[str, float, float, datetime, datetime]]:
    """Make the parcels of one day: id, distance, hours, when it was sent and when it arrives, a day later or two."""
    chance = random.Random(day)
    for number in range(A_DAY):
        km = chance.lognormvariate(5, 1)
        took = hours(km) + chance.gauss(0, 1)
        sent = FIRST + timedelta(days=day, minutes=2 * number)
        yield f"p{day}-{number}", km, took, sent, sent + timedelta(hours=took)


def write_day(house: House, day: int, *broken: str) -> int:
    """Write the parcels that were sent on one day, and some broken lines; and, apart, those that arrived. Count these.

    Those of the very first day arrived some time, but nobody wrote it down.
    """
    today = (FIRST + timedelta(days=day)).date()
    sent = [f"{name},{km:.1f},{at.isoformat()}" for name, km, _, at, _ in sent_on(day)]
    arrived = [
        f"{name},{took:.2f},{at.isoformat()}"
        for before in range(1, day + 1)
        for name, _, took, _, at in sent_on(before)
        if at.date() == today
    ]
    for folder, lines in (
        ("logs", ["parcel_id,distance_km,sent", *sent, *broken]),
        ("arrivals", ["parcel_id,hours,arrived", *arrived]),
    ):
        (house.home / folder).mkdir(exist_ok=True)
        (house.home / folder / f"{day:02}.csv").write_text("\n".join(lines) + "\n")
    return len(arrived)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Iterator[House]:
    home = tmp_path_factory.mktemp("parcels")
    file = home / "parcels.yaml"
    file.write_text(SETTINGS)
    made = make_house(home, PREFECT_URL=prefect_server)
    kept = {
        name: value
        for name, value in made.environment.items()
        if not name.startswith(("NIGHTSHIFT_MODEL", "NIGHTSHIFT_HELD", "NIGHTSHIFT_FEATURES", "NIGHTSHIFT_NAME"))
    }
    uris = {"NIGHTSHIFT_SOURCE__URI": f"{home}/logs/*.csv", "NIGHTSHIFT_LABELS__URI": f"{home}/arrivals/*.csv"}
    own = House(home, {**kept, "NIGHTSHIFT_SETTINGS": str(file), **uris})
    own.run("flows.services", "serve")
    yield own
    own.run("flows.services", "down")


def test_two_nights_learn_judge_and_serve_it(house: House) -> None:
    arrived = sum(write_day(house, day) for day in range(5))
    first = house.run("flows.nightly")
    assert "parcels version 1: promoted. MAE " in first, first
    assert "over REST, by version 1: distance_km 120 -> hours " in first, first
    assert "over gRPC, by version 1: distance_km 120 -> hours " in first, first
    assert "beats median" in first
    assert f"\n{5 * A_DAY - arrived:,} rows wait for a label" in first, first
    assert f"labels read {arrived:,} = accepted {arrived:,} + quarantined 0 + dropped 0 + repeats 0" in first, first
    arrived = write_day(house, 5, "p,-5,2026-03-06T10:00:00+00:00", ",7,2026-03-06T10:00:00+00:00")
    second = house.run("flows.nightly")
    assert "parcels version 2: " in second, second
    assert "champion" in second
    assert "from version 1, trained through 2026-03-04" in second, second
    assert f"rows read {A_DAY + 2} = accepted {A_DAY} + quarantined 2 + dropped 0 + repeats 0" in second, second
    assert f"on {arrived:,} targets" in second, "parcels are judged once they have arrived"


def test_anybody_asks_it_by_the_protocol(house: House) -> None:
    url = f"{house.settings().serving.rest_url}/v2/models/parcels"
    (told,) = httpx.get(url, timeout=LONG_SECONDS).json()["inputs"]
    assert told == {"name": "distance_km", "shape": [-1], "datatype": "FP32"}
    asked = {"inputs": [{"name": "distance_km", "shape": [2], "datatype": "FP32", "data": [20, 500.5]}]}
    (answer,) = httpx.post(f"{url}/infer", json=asked, timeout=LONG_SECONDS).json()["outputs"]
    assert answer["data"] == pytest.approx([hours(20), hours(500.5)], abs=3)
    wrong = {"inputs": [{"name": "distance_km", "shape": [1], "datatype": "FP32", "data": [-1]}]}
    refused = httpx.post(f"{url}/infer", json=wrong, timeout=LONG_SECONDS)
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "wanted 0 or more" in refused.text


def test_its_code_travels_with_the_model(house: House, tmp_path: Path) -> None:
    environment = {name: value for name, value in house.environment.items() if not name.startswith("NIGHTSHIFT_")}
    answer = subprocess.run(
        [sys.executable, "-c", PLAIN, house.settings().workspace().tracking_uri],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LONG_SECONDS, check=True,
    )  # fmt: skip
    (row,) = json.loads(answer.stdout.splitlines()[-1])
    assert row["hours"] == pytest.approx(hours(500), abs=3)


def test_every_table_is_its_own() -> None:
    assert list(promises("tests.parcels").contracts) == [
        "parcels",
        "quarantine",
        "files",
        "arrivals",
        "quarantine_arrivals",
        "files_arrivals",
        "trips",
    ]
