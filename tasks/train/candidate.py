"""Train the night's candidate, once: a training that is done already is only read, unless its weights are damaged."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from data_contracts.bundle import find_version_of_run
from data_contracts.commit_point import commit_point
from data_contracts.job import RESULT, FitJob, FitResult, TablesAt, commit, read
from data_contracts.manifest import damage
from data_contracts.night import Candidate, Night, Workspace
from data_contracts.version import TRAINED_THROUGH
from tasks.champion import Champion, find_champion
from tasks.train.config import TrainConfig
from tasks.train.gang import OnHeartbeat, OnLine, fit_on_cluster
from tasks.train.plan import Plan, plan_training
from tasks.train.run import START, Settings, find_or_make_run, working_on
from tasks.train.shape import shape, shape_of

CANDIDATE = "candidate.json"


def train_candidate(
    workspace: Workspace,
    night: Night,
    config: TrainConfig,
    model: BaseModel,
    features: BaseModel,
    cluster: str,
    on_line: OnLine,
    on_heartbeat: OnHeartbeat,
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
        on_heartbeat: Is told how far the training is.

    Raises:
        ValueError: The night holds too few windows, or a setting is wrong.
        JobFailedError: The training failed; the run says so too. Starting again goes on from its last checkpoint.
    """
    settings: Settings = {
        "train": config.model_dump(mode="json"),
        "model": model.model_dump(mode="json"),
        "features": features.model_dump(mode="json"),
    }
    run_id = find_or_make_run(workspace, night, settings)
    folder = Path(workspace.runs) / run_id
    kept = _kept(workspace, folder / CANDIDATE, on_line)
    if kept is not None:
        on_line(f"run {run_id} has trained on this night already, nothing to do")
        return kept
    champion = find_champion(workspace, night, run_id)
    champion_shape = shape_of(Path(champion.bundle), model, features) if champion and champion.bundle else {}
    plan = plan_training(night, champion, shape(model, features), champion_shape, warm_start=config.warm_start)
    on_line(f"run {run_id}: {plan.reason}; windows {', '.join(plan.windows)}")
    job = _fit_job(workspace, night, config, settings, plan, champion if plan.warm else None, run_id)
    trained_through = plan.windows[-1]
    with working_on(workspace, run_id, {START: plan.reason, TRAINED_THROUGH: trained_through}):
        _forget_damaged(Path(job.run_folder) / RESULT, on_line)
        result = fit_on_cluster(cluster, job, on_line, on_heartbeat)
    candidate = Candidate(
        run_id=run_id, checkpoint=result.checkpoint, trained_through=trained_through, remark=result.remark
    )
    with commit_point("candidate"):
        commit(candidate, folder / CANDIDATE)
    return candidate


def _fit_job(
    workspace: Workspace,
    night: Night,
    config: TrainConfig,
    settings: Settings,
    plan: Plan,
    start: Champion | None,
    run_id: str,
) -> FitJob:
    """Say what is trained, in a folder of its own for each start: what was begun from another is not gone on with."""
    begun_from = f"version-{start.version}" if start else "nothing"
    return FitJob(
        use_case=workspace.use_case,
        run_folder=str(Path(workspace.runs) / run_id / f"fit-from-{begun_from}"),
        tables=TablesAt(folder=workspace.tables, versions=night.tables),
        windows=plan.windows,
        replayed=plan.replayed,
        replay=config.replay if plan.replayed else 0.0,
        known_windows=plan.known,
        validation=plan.validation,
        warm_start=start.bundle if start else None,
        parallelism=config.parallelism,
        checkpoints=config.checkpoints,
        max_seconds=config.max_seconds,
        config=settings["model"],
        features=settings["features"],
        tracking_uri=workspace.tracking_uri,
        run_id=run_id,
    )


def _kept(workspace: Workspace, file: Path, on_line: OnLine) -> Candidate | None:
    """Return the candidate of a training that is done; None if it cannot be read, or its weights are damaged.

    Weights are not looked at once there is a version of them.
    """
    try:
        candidate = read(file, Candidate)
    except FileNotFoundError:
        return None
    except ValueError as error:
        on_line(f"{file} cannot be read, and is made again: {error}")
        return None
    if find_version_of_run(workspace.tracking_uri, workspace.name, candidate.run_id) is not None:
        return candidate  # register has removed the weights: the version's bundle has them
    problems = damage(Path(candidate.checkpoint))
    if problems:
        on_line(f"the weights in {candidate.checkpoint} are damaged, and trained again: {'; '.join(problems)}")
        return None
    return candidate


def _forget_damaged(result: Path, on_line: OnLine) -> None:
    """Remove a training's result that cannot be read or whose weights are damaged: it goes on from its checkpoints."""
    try:
        checkpoint = Path(read(result, FitResult).checkpoint)
    except FileNotFoundError:
        return
    except ValueError as error:
        on_line(f"{result} is no answer any more, it cannot be read: {error}")
        result.unlink()
        return
    problems = damage(checkpoint)
    if problems:
        on_line(f"{result} is no answer any more, its weights are damaged: {'; '.join(problems)}")
        result.unlink()
