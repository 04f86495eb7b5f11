"""What nights left in a house, by which it is compared with another: tables, registry, files, answers."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
from mlflow import MlflowClient

from data_contracts.table import Table
from data_contracts.use_cases import promises
from data_contracts.version import TABLE_IDS
from tasks.deploy.client import ask_over_rest
from tasks.deploy.server import ModelServer
from tests.integration.conftest import House

AGAIN = re.compile(r"-again-\d+-")
"""In the name of a table's file that a night wrote when it ran again, beside one that is visible already."""

BY_START = {"ledger/starts", "ledger/repeated"}
OF_STARTS = {"agents", "ledger", "progress"}
"""Metrics, and a training's folders, that tell how often it was started."""


def outcome(house: House) -> dict[str, Any]:
    """Return all by which two homes are compared, part by part, with names that differ by chance made equal."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        with closing(sqlite3.connect(house.home / "mlflow.db")) as database, closing(sqlite3.connect(copy)) as copied:
            database.backup(copied)
        client = MlflowClient(tracking_uri=f"sqlite:///{copy}")
        names = _names(client)
        found = {**_tables(house), **_registry(client), **_served(house), **_files(house)}
    return {part: _renamed(value, names) for part, value in found.items()}


def differences(wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Say in what two outcomes differ: a line for each value of each part that only one of them has."""
    lines: list[str] = []
    for part in sorted(wanted.keys() | seen.keys()):
        ours, theirs = (Counter(_values(each.get(part))) for each in (wanted, seen))
        lines += [f"{part}: lost {value:.500}" for value in (ours - theirs).elements()]
        lines += [f"{part}: too much {value:.500}" for value in (theirs - ours).elements()]
    return lines


def _values(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [f"{name} = {value!r}" for name, value in part.items()]
    return [repr(value) for value in part] if isinstance(part, list) else [repr(part)]


def _names(client: MlflowClient) -> dict[str, str]:
    """Return run and model ids, which chance gives, to names by their order."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments, order_by=["attributes.start_time ASC"])
    models = client.search_logged_models(experiments)
    names = {run.info.run_id: f"run-{number}" for number, run in enumerate(runs)}
    oldest_first = sorted(models, key=lambda model: model.creation_timestamp)
    return names | {model.model_id: f"model-{number}" for number, model in enumerate(oldest_first)}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"m-[0-9a-f]{32}|[0-9a-f]{32}", lambda found: names.get(found[0], found[0]), value)
    if isinstance(value, dict):
        return {_renamed(key, names): _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_renamed(each, names) for each in value), key=repr)
    return value


def _tables(house: House) -> dict[str, Any]:
    workspace = house.settings().workspace()
    found: dict[str, Any] = {}
    for name, contract in promises(workspace.use_case).contracts.items():
        table = Table(workspace.tables, contract)
        rows = pl.DataFrame(pl.from_arrow(table.read()))
        found[f"version of {name}"] = table.version()
        found[f"rows of {name}"] = [repr(row) for row in rows.iter_rows()]
    return found


def _registry(client: MlflowClient) -> dict[str, Any]:
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    models = client.search_logged_models(experiments)
    versions = client.search_model_versions("name = 'shop'")
    found: dict[str, Any] = {
        "runs": [f"{run.info.run_id} {run.info.status}" for run in runs],
        "logged models": [f"{model.model_id} {model.status} of {model.source_run_id}" for model in models],
        "aliases": client.get_registered_model("shop").aliases,
    }
    for run in runs:
        found[f"parameters of the {run.info.run_name}"] = run.data.params
        metrics = {name: value for name, value in run.data.metrics.items() if name not in BY_START}
        found[f"metrics of the {run.info.run_name}"] = metrics
    for version in versions:
        tags = {name: text for name, text in version.tags.items() if name != "nightshift.git_commit"}
        tables = json.loads(tags.pop(TABLE_IDS))
        of_older_code = {
            name: own for name, own in tables.items() if name != "state"
        }  # each second night makes its own
        own = {"tables": of_older_code, "run": version.run_id, "model": version.model_id}
        found[f"version {version.version}"] = {**tags, **own}
    return found


def _served(house: House) -> dict[str, Any]:
    settings = house.settings()
    serving = settings.serving
    state = ModelServer("shop", settings.workspace().tracking_uri, serving).state()
    held = {"served": state.served, "staged": state.staged, "previous": state.previous}
    users = [f"u{number:06}" for number in range(20)] + ["nobody"]
    return {
        "in memory": {role: version and version.version for role, version in held.items()},
        "answers": {user: repr(ask_over_rest(serving, "shop", {"user_id": user, "k": 5})) for user in users},
    }


def _files(house: House) -> dict[str, Any]:
    """Return every file of the home but the servers' and Prefect's own, and what is in weights."""
    paths = [path for path in house.home.rglob("*") if path.is_file()]
    inside = [path.relative_to(house.home) for path in paths]
    shown = [path for path in inside if path.parts[0] not in {"prefect", "services", "logs"}]
    shown = [path for path in shown if not OF_STARTS & set(path.parts)]
    weights = [path for path in shown if path.suffix == ".safetensors"]
    return {
        "files": [AGAIN.sub("-", path.as_posix()) for path in shown],
        "weights": {path.as_posix(): hashlib.sha256((house.home / path).read_bytes()).hexdigest() for path in weights},
    }
