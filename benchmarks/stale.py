"""What trainers learn, and how fast, that wait for each other, or do not: ``python -m benchmarks.stale LOG``.

Two trainers learn from equal samples, in each way once with both as fast as they are, and once with one of them held
back: it stands still four fifths of the time. Judged are the users' last events.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from matplotlib.figure import Figure
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

SHARDS, TRAINERS = 2, 2
WAYS: dict[str, dict[str, object]] = {
    "ddp": {},
    "hybrid": {"mode": "hybrid"},
    "hybrid, a step old": {"mode": "hybrid", "staleness": 1},
    "sync": {"mode": "sync"},
    "bounded, 1": {"mode": "bounded", "staleness": 1},
    "bounded, 4": {"mode": "bounded", "staleness": 4},
    "bounded, 16": {"mode": "bounded", "staleness": 16},
    "async": {"mode": "async"},
    "async, compensated": {"mode": "async", "compensation": 1.0},
}
STALENESS = ("ddp", "sync", "bounded, 1", "bounded, 4", "bounded, 16", "async", "async, compensated")
"""Those of the table of staleness."""
STANDS, GOES = 0.08, 0.02
"""Seconds for which a trainer that is held back stands still, and goes on."""


class Learned(NamedTuple):
    """What came of a training.

    Attributes:
        pace: Steps a second, of all trainers together.
        ndcg: NDCG@10 of the users' last events.
        losses: Mean loss of each pass.
        staleness: Steps that were missing in what a step had read, on average,
        most: and at most.
    """

    pace: float
    ndcg: float
    losses: Sequence[float]
    staleness: float
    most: float


def bound(way: str) -> float:
    """Return what the bound on the regret grows with beside the samples: √(2 (τ + 1) P), for P trainers.

    Source:
        Ho et al., "More effective distributed ML via a stale synchronous parallel parameter server", theorem 1.
    """
    told = WAYS[way]
    staleness = told.get("staleness", float("inf") if told.get("mode") == "async" else 0)
    assert isinstance(staleness, int | float)
    return float((2 * (staleness + 1) * TRAINERS) ** 0.5)


def learn(case: Case, folder: Path, way: str, epochs: int, *, held_back: bool) -> Learned:
    """Train, and judge."""
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")
    experiment = client.create_experiment(folder.name, str(folder / "artifacts"))
    told = case.fit_job(0, None)
    placed = {"rows": "served", "server": {"shards": SHARDS, **WAYS[way]}} if WAYS[way] else {}
    parallelism = ParallelismConfig.model_validate({"processes_per_node": TRAINERS, "max_restarts": 0, **placed})
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
    metrics = client.get_run(run["run_id"]).data.metrics
    return Learned(
        (len(steps) - 1) / (steps[-1] - steps[0]),
        judged.metrics["it"]["ndcg@10"],
        [each.value for each in client.get_metric_history(run["run_id"], "train/loss")],
        metrics.get("server/staleness_mean", 0.0),
        metrics.get("server/staleness_most", 0.0),
    )


def drawn(log: str, seen: dict[str, Learned], file: Path) -> None:
    """Draw the loss of each way over the passes, and what came of it."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, judged = figure.subplots(1, 2)
    for way, found in seen.items():
        losses.plot(range(1, len(found.losses) + 1), found.losses, label=way)
    losses.set(title=f"{log}: loss on equal samples", xlabel="pass", ylabel="mean loss")
    losses.legend(fontsize=8)
    judged.barh(list(seen), [each.ndcg for each in seen.values()])
    judged.invert_yaxis()
    judged.set(title="NDCG@10 of the last events")
    figure.savefig(file, metadata={"Date": None})


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


def learned(
    log: str, real_data: Path, ways: Sequence[str], epochs: int, *, held_back: bool = False
) -> dict[str, Learned]:
    """Learn in these ways, and tell while it goes on."""
    seen: dict[str, Learned] = {}
    with tempfile.TemporaryDirectory(prefix="stale-") as place:
        folder = Path(place)
        case = case_of(log, real_data, folder / "home")
        for way in ways:
            own = folder / way.replace(", ", "-").replace(" ", "-")
            seen[way] = found = learn(case, own, way, epochs, held_back=held_back)
            print(
                f"{log}, {way}: {found.pace:.2f} steps/s, NDCG@10 {found.ndcg:.4f}, staleness {found.staleness:.2f} "
                f"(at most {found.most:g})",
                flush=True,
            )
    return seen


def main() -> None:
    """Learn in every way, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stale", description=__doc__)
    parser.add_argument("log", choices=list(LOGS))
    parser.add_argument("--real-data", type=Path, required=True, help="folder of the logs")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--held-back", action="store_true", help="one of two trainers")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    given = parser.parse_args()
    learned(given.log, given.real_data, given.ways, given.epochs, held_back=given.held_back)


if __name__ == "__main__":
    main()
