"""What trainers learn, and how fast, that wait for each other, or do not: ``python -m benchmarks.stale LOG``.

Two trainers learn from equal samples, in each way once with both as fast as they are, and once with one of them held
back: it stands still four fifths of the time. Judged are the users' last events.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil
from mlflow import MlflowClient

from benchmarks.clock import Clock, clock_of
from benchmarks.lab import ENVIRONMENT
from benchmarks.learned import LOGS, case_of
from benchmarks.nights import Case
from benchmarks.shards import shards
from data_contracts.job import FitResult, read
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE
from models.use_case import use_case
from tasks.job import run_job
from tasks.train.agent import launcher

SHARDS = 2
WAYS: dict[str, dict[str, object]] = {
    "ddp": {},
    "hybrid": {"mode": "hybrid"},
    "hybrid, a step old": {"mode": "hybrid", "staleness": 1},
    "sync": {"mode": "sync"},
    "bounded, 1": {"mode": "bounded", "staleness": 1},
    "bounded, 4": {"mode": "bounded", "staleness": 4},
    "bounded, 16": {"mode": "bounded", "staleness": 16},
    "async": {"mode": "async"},
}
STANDS, GOES = 0.08, 0.02
"""Seconds for which a trainer that is held back stands still, and goes on."""


def learn(case: Case, folder: Path, way: dict[str, object], epochs: int, *, held_back: bool) -> tuple[float, float]:
    """Train, and return steps a second and NDCG@10."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")
    experiment = client.create_experiment(folder.name, str(folder / "artifacts"))
    told = case.fit_job(0, None)
    placed = {"rows": "served", "server": {"shards": SHARDS, **way}} if way else {}
    parallelism = ParallelismConfig.model_validate({"processes_per_node": 2, "max_restarts": 0, **placed})
    fit = told.config["fit"]
    assert isinstance(fit, dict)
    config = {
        **told.config,
        "loss": {"kind": "sampled_softmax"},
        "fit": {**fit, "max_epochs": epochs, "patience": epochs},
    }
    own = {"run_folder": str(folder), "parallelism": parallelism, "config": config}
    run = {"tracking_uri": client.tracking_uri, "run_id": client.create_run(experiment).info.run_id}
    job = told.model_copy(update={**own, **run})
    with shards(parallelism) as (store, _), _held_back("rank 1") if held_back else nullcontext():
        result = run_job(
            "benchmarks.clocked", job, folder, FitResult,
            launcher=launcher(parallelism), environment={**ENVIRONMENT, STORE: store}, on_line=lambda _: None,
        )  # fmt: skip
    steps = read(clock_of(job, 0), Clock).steps
    judged = use_case(case.settings.use_case).evaluate(case.evaluate_job(folder / "judge", {"it": result.checkpoint}))
    return (len(steps) - 1) / (steps[-1] - steps[0]), judged.metrics["it"]["ndcg@10"]


@contextmanager
def _held_back(name: str) -> Iterator[None]:
    """Have a process of this name below this one stand still most of the time."""
    ended = threading.Event()
    holder = threading.Thread(target=_hold_back, args=(name, ended))
    holder.start()
    try:
        yield
    finally:
        ended.set()
        holder.join()


def _hold_back(name: str, ended: threading.Event) -> None:
    while not ended.wait(GOES):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.name() == name:
                    process.suspend()
                    time.sleep(STANDS)
                    process.resume()


def main() -> None:
    """Learn in every way, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stale", description=__doc__)
    parser.add_argument("log", choices=list(LOGS))
    parser.add_argument("--real-data", type=Path, required=True, help="folder of the logs")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--held-back", action="store_true", help="one of two trainers")
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stale-") as place:
        folder = Path(place)
        case = case_of(given.log, given.real_data, folder / "home")
        for way in given.ways:
            own = folder / way.replace(", ", "-").replace(" ", "-")
            pace, ndcg = learn(case, own, WAYS[way], given.epochs, held_back=given.held_back)
            print(f"{given.log}, {way}: {pace:.2f} steps/s, NDCG@10 {ndcg:.4f}", flush=True)


if __name__ == "__main__":
    main()
