"""Made-up transactions as tables, and jobs on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
from mlflow import MlflowClient
from pydantic import JsonValue

from data_contracts.job import EvaluateJob, FitJob, PublishJob, TablesAt, Validation
from data_contracts.night import Window
from data_contracts.parallelism import ParallelismConfig
from tasks.preprocess.risk.plan import Plan, one_length
from tasks.preprocess.risk.steps import Order, count_lengths, write_examples, write_parties, write_sums
from tasks.preprocess.risk.tables import Tables
from tests.databases import mlflow_in
from tests.tasks.preprocess.risk.nights import SUMS, day, deals, publish, workspace

DAYS, A_DAY = 12, 150
KNOWN, JUDGED = (day(DAYS - 3).isoformat(),), day(DAYS - 1).isoformat()
CONFIG: dict[str, JsonValue] = {
    "network": {"width": 8, "hidden": 2, "party_width": 2, "dropout": 0.0, "party_dropout": 0.0},
    "boosting": {"rounds": 30},
    "fit": {"batch_size": 64, "max_epochs": 2, "warm_up_steps": 5},
    "threshold": 0.2,
    "cost_of_missed": 5.0,
}


def write_tables(folder: Path, changed: Callable[[pl.DataFrame], pl.DataFrame] = lambda deals: deals) -> TablesAt:
    """Write the tables of a first night: all but the last two days are known, these judge.

    Args:
        folder: Where.
        changed: Is done to the transactions.
    """
    home = workspace(folder)
    publish(home, changed(deals(range(DAYS), A_DAY)), range(DAYS))
    tables = Tables(home.tables)
    window = Window(first_day=day(DAYS - 2), last_day=day(DAYS - 1))
    due = tables.due(0, label_days=0)
    numbers = one_length(count_lengths([each.file for each in due]), 0)
    order = Order(home.tables, due, Plan(window, first=True, numbers=numbers), "night", "UTC", waits=False)
    tables.begin(write_parties(order), 0, order.plan, label_days=0)
    for name, parts in write_sums(order, SUMS).items():
        getattr(tables, name).commit(parts, ["night"])
    made = write_examples(order, window.key)
    tables.finish(made.parts, 0, waiting=None)
    return TablesAt(folder=home.tables, versions=tables.record().tables)


def fit_job(folder: Path, tables: TablesAt, config: dict[str, JsonValue], **parallelism: object) -> FitJob:
    """Return a training; its run is not there yet."""
    return FitJob(
        use_case="risk",
        run_folder=str(folder),
        tables=tables,
        windows=KNOWN,
        known_windows=KNOWN,
        validation=Validation(window=KNOWN[-1]),
        parallelism=ParallelismConfig.model_validate({"max_restarts": 0} | parallelism),
        config=config,
        features={},
        tracking_uri=mlflow_in(folder),
        run_id="none",
    )


def in_a_run(job: FitJob) -> FitJob:
    """Return the training with a run of its own."""
    client = MlflowClient(tracking_uri=job.tracking_uri)
    experiment = client.create_experiment("risk", f"{job.run_folder}/artifacts")
    return job.model_copy(update={"run_id": client.create_run(experiment).info.run_id})


def evaluate_job(folder: Path, tables: TablesAt, first_day: date | None = None, **contestants: str) -> EvaluateJob:
    """Return a judging."""
    return EvaluateJob(
        use_case="risk",
        tables=tables,
        window=JUDGED,
        first_day=first_day or day(DAYS - 2),
        known_windows=KNOWN,
        validation=Validation(window=KNOWN[-1]),
        contestants=contestants,
        config=CONFIG,
        features={},
        work_folder=str(folder),
    )


def publish_job(folder: Path, tables: TablesAt, checkpoint: str) -> PublishJob:
    """Return a publishing; no MLflow is asked."""
    return PublishJob(
        use_case="risk",
        checkpoint=checkpoint,
        tables=tables,
        known_windows=KNOWN,
        trained_through=KNOWN[-1],
        tracking_uri="sqlite://",
        run_id="run",
        config=CONFIG,
        features={},
        work_folder=str(folder),
    )
