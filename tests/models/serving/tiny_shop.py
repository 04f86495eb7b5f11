"""A shop of twelve items and three users, with fresh weights: enough to publish, serve and answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import torch
from mlflow import MlflowClient

from data_contracts.bundle import BUNDLE
from data_contracts.job import Config, PublishJob, TablesAt
from data_contracts.manifest import seal
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE
from data_contracts.table import Table
from models.publish import publish
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.weights import Weights, new_network, save
from tests.databases import mlflow_in

WINDOWS = ("2026-01-06", "2026-01-07")
KNOWN = 10
"""Items 1…10 are in the weights; 11 and 12 came in the newest window."""
FEATURES: Config = {"max_length": 5, "max_seen": 100}
NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)


def item(number: int) -> str:
    return f"item-{number:02}"


def write_tables(folder: Path) -> TablesAt:
    """Commit items, counts (item n was met 20 - n times, item 10 once) and the histories of ada, bob and new.

    Before the newest window item 9 was met twice on its last day, item 8 once, and item 7 a month before.
    """
    numbers = list(range(1, 13))
    first = [WINDOWS[0] if number <= KNOWN else WINDOWS[1] for number in numbers]
    met = {9: [6, 6], 8: [6], 7: [-25]}
    times = [(item(number), NOON + timedelta(days=day - NOON.day)) for number, days in met.items() for day in days]
    rows = {
        EVENTS: {
            "user_id": ["ada"] * len(times),
            "item_id": [item_id for item_id, _ in times],
            "event": ["view"] * len(times),
            "timestamp": [time for _, time in times],
            "value": pa.nulls(len(times), pa.float32()),
            "day": [time.date() for _, time in times],
        },
        ITEMS: {"item_id": list(map(item, numbers)), "item_index": numbers, "first_window": first},
        ITEM_COUNTS: {
            "item_index": numbers,
            "count": [1 if number == KNOWN else 20 - number for number in numbers],
            "window": first,
        },
        STATE: {
            "user_id": ["ada", "ada", "bob", "new"],
            "bucket": [1, 1, 2, 3],
            "items": [[1, 2], [1, 2, 3], [4, 11, 5], [11, 12]],
            "seen": [[1, 2], [1, 2, 3], [6, 4, 11, 5], [11, 12]],
            "kinds": [["view"] * count for count in (2, 3, 3, 2)],
            "timestamps": [[NOON + timedelta(hours=place) for place in range(count)] for count in (2, 3, 3, 2)],
            "event_count": [2, 3, 4, 2],
            "window": [WINDOWS[0], WINDOWS[1], WINDOWS[1], WINDOWS[1]],
        },
    }
    versions = {}
    for contract, columns in rows.items():
        table = Table(str(folder), contract)
        if table.version() is None:
            table.commit(table.write(pa.table(columns), "part-0"), ["events@0"])
        versions[contract.name] = table.version() or 0
    return TablesAt(folder=str(folder), versions=versions)


def write_weights(
    folder: Path,
    *,
    seed: int = 0,
    min_item_count: int = 2,
    exclude_seen: bool = True,
    kind: Literal["sasrec", "hstu"] = "sasrec",
) -> RecommenderConfig:
    """Write fresh weights for items 1…10; another seed gives another model."""
    network = NetworkConfig(kind=kind, width=8, blocks=1, heads=1)
    config = RecommenderConfig(network=network, min_item_count=min_item_count, exclude_seen=exclude_seen)
    torch.manual_seed(seed)
    save(Weights(new_network(KNOWN, config, FEATURES).eval(), config, FEATURES), folder)
    seal(folder)
    return config


def publish_job(folder: Path, *, tracking_uri: str = "", run_id: str = "run-1", seed: int = 0) -> PublishJob:
    """Write tables and weights under ``folder``, and say what to publish."""
    config = write_weights(folder / f"weights-{seed}", seed=seed)
    return PublishJob(
        use_case="recommender",
        checkpoint=str(folder / f"weights-{seed}"),
        tables=write_tables(folder / "tables"),
        known_windows=WINDOWS[:1],
        trained_through=WINDOWS[0],
        tracking_uri=tracking_uri,
        run_id=run_id,
        config=config.model_dump(mode="json"),
        features=FEATURES,
        work_folder=str(folder / f"work-{seed}"),
    )


def new_run(folder: Path) -> tuple[str, str]:
    """Make an MLflow database under ``folder`` with experiment `shop` and a run; return its URI and the run's id."""
    tracking_uri = mlflow_in(folder)
    client = MlflowClient(tracking_uri=tracking_uri)
    experiment = client.get_experiment_by_name("shop")
    artifacts = (folder / "artifacts").as_uri()
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("shop", artifacts)
    return tracking_uri, str(client.create_run(experiment_id).info.run_id)


def register(folder: Path, *, seed: int, name: str = "shop") -> str:
    """Publish and register one more model; return its version. Another seed gives other weights."""
    tracking_uri, run_id = new_run(folder)
    published = publish(publish_job(folder, tracking_uri=tracking_uri, run_id=run_id, seed=seed))
    client = MlflowClient(tracking_uri=tracking_uri)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return str(client.create_model_version(name, published.model_uri, run_id=run_id).version)


def register_two(folder: Path, *, name: str = "shop") -> str:
    """Register versions 1 and 2, make version 1 champion, and return MLflow's URI."""
    champion = register(folder, seed=0, name=name)
    register(folder, seed=1, name=name)
    tracking_uri = mlflow_in(folder)
    MlflowClient(tracking_uri=tracking_uri).set_registered_model_alias(name, "champion", champion)
    return tracking_uri


def damage(tracking_uri: str, name: str, version: str) -> None:
    """Cut a byte off the weights that MLflow keeps of a version."""
    location = MlflowClient(tracking_uri=tracking_uri).get_model_version_download_uri(name, version)
    weights = Path(location.removeprefix("file://")) / "artifacts" / BUNDLE / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
