"""Train the night's candidate, once: a training that is done already is only read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, JsonValue

from data_contracts.commit_point import commit_point
from data_contracts.job import FitJob, TablesAt, commit, read
from data_contracts.night import Candidate, Night, Workspace
from data_contracts.version import TRAINED_THROUGH
from tasks.champion import fetch_champion, find_champion
from tasks.train.config import TrainConfig
from tasks.train.gang import fit_on_cluster
from tasks.train.plan import Shape, plan_training
from tasks.train.run import START, find_or_make_run, working_on

CANDIDATE = "candidate.json"


def train_candidate(
    workspace: Workspace,
    night: Night,
    config: TrainConfig,
    model: BaseModel,
    features: BaseModel,
    cluster: str,
    on_line: Callable[[str], None],
) -> Candidate:
    """Decide where tonight's training starts and on what, train on the cluster, and keep the MLflow run.

    Args:
        workspace: Where tables, runs and MLflow are.
        night: What it trains on; its newest window is left for judging.
        config: From where, on what, in how many processes.
        model: Settings of the use case's model.
        features: Settings under which the tables were made.
        cluster: Dask scheduler's address.
        on_line: Is told what happens, and every line that the training writes.

    Raises:
        ValueError: The night holds too few windows, or a setting is wrong.
        JobFailedError: The training failed; the run says so too. Starting again goes on from its last whole epoch.
    """
    train_settings: dict[str, JsonValue] = config.model_dump(mode="json")
    model_settings: dict[str, JsonValue] = model.model_dump(mode="json")
    feature_settings: dict[str, JsonValue] = features.model_dump(mode="json")
    settings: dict[str, JsonValue] = {"train": train_settings, "model": model_settings, "features": feature_settings}
    run_id = find_or_make_run(workspace, night, settings)
    folder = Path(workspace.runs) / run_id
    if (folder / CANDIDATE).exists():
        on_line(f"run {run_id} has trained on this night already, nothing to do")
        return read(folder / CANDIDATE, Candidate)
    champion = find_champion(workspace, night)
    bundle = None if champion is None or champion.stranger else fetch_champion(workspace, champion, run_id)
    champion_shape = {} if bundle is None else _shape_of(bundle)
    shape = _shape(model_settings, feature_settings)
    plan = plan_training(night, champion, shape, champion_shape, warm_start=config.warm_start)
    on_line(f"run {run_id}: {plan.reason}; windows {', '.join(plan.windows)}")
    start = f"version-{champion.version}" if champion is not None and plan.warm else "nothing"
    job = FitJob(
        use_case=workspace.use_case,
        run_folder=str(folder / f"fit-from-{start}"),  # what was begun from another champion is not gone on with
        tables=TablesAt(folder=workspace.tables, versions=night.tables),
        windows=plan.windows,
        replayed=plan.replayed,
        replay=config.replay if plan.replayed else 0.0,
        known_windows=plan.known,
        validation=plan.validation,
        warm_start=str(bundle) if plan.warm else None,
        parallelism=config.parallelism,
        config=model_settings,
        features=feature_settings,
        tracking_uri=workspace.tracking_uri,
        run_id=run_id,
    )
    trained_through = plan.windows[-1]
    with working_on(workspace, run_id, {START: plan.reason, TRAINED_THROUGH: trained_through}):
        result = fit_on_cluster(cluster, job, on_line)
    candidate = Candidate(run_id=run_id, checkpoint=result.checkpoint, trained_through=trained_through)
    with commit_point("candidate"):
        commit(candidate, folder / CANDIDATE)
    return candidate


def _shape(model: dict[str, JsonValue], features: dict[str, JsonValue]) -> Shape:
    return {"network": model["network"], "features": features}


def _shape_of(bundle: Path) -> Shape:
    record = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    return _shape(record["config"], record["features"])
