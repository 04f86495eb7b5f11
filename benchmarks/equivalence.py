"""Whether every way of splitting computes the same: each trains on the same batches, and is compared with one process.

``make equivalence`` prints the table, keeps it in ``benchmarks/RESULTS.md`` and on an MLflow run, and fails when a way
is further from one process than it may be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from mlflow import MlflowClient

from benchmarks.compared import Compared, Setting, compared, table
from benchmarks.lab import ENVIRONMENT
from benchmarks.results import machine, record
from benchmarks.shards import shards
from benchmarks.subjects import HSTU, LANGUAGE, MEDICAL, RISK, SPEECH, VISION
from benchmarks.tables import WINDOW
from benchmarks.ways import Trained, Ways
from data_contracts.job import FitJob, TablesAt, Validation
from data_contracts.parallelism import ParallelismConfig, Replicas, Schedule
from data_contracts.parameter_server import STORE
from tasks.job import run_job
from tasks.train.agent import launcher

EXACT = Setting("64-true", "sampled_softmax", loss=1e-9, weights=1e-9)
SETTINGS = (
    EXACT,
    Setting("64-true", "full_softmax", loss=1e-9, weights=1e-9),
    Setting("32-true", "sampled_softmax", loss=1e-4, weights=None),
    Setting("64-true", "sampled_softmax", loss=1e-9, weights=1e-9, subject=HSTU),
    Setting("64-true", "cross_entropy", loss=1e-9, weights=1e-9, subject=RISK),
    Setting("64-true", "cross_entropy", loss=1e-9, weights=1e-9, subject=VISION),
    Setting("64-true", "cross_entropy", loss=1e-9, weights=1e-9, subject=MEDICAL),
    Setting("64-true", "cross_entropy", loss=1e-9, weights=1e-9, subject=LANGUAGE),
    Setting("64-true", "cross_entropy", loss=1e-9, weights=1e-9, subject=SPEECH),
)


SHARDED_UNDER: tuple[Schedule, ...] = ("1f1b", "zero_bubble")
"""Schedules under which rows are sharded and served, too: what the others do with rows is the same."""
SHARDS = 3
LOCAL: dict[str, object] = {"rows": "local"}
SHARDED: dict[str, object] = {"rows": "sharded"}
SERVED: dict[str, object] = {"rows": "served", "server": {"shards": SHARDS}}


def ways(world: int) -> Iterable[ParallelismConfig]:
    """Return every way of splitting over so many processes; with one, `ddp` comes first."""
    for placed in (LOCAL, SHARDED, SERVED) if world > 1 else (LOCAL, SERVED):
        yield _way(world, strategy="ddp", **placed)
        yield _way(world, strategy="fsdp", **placed)
    yield _way(world, rows="served", server={"shards": SHARDS, "mode": "sync"})
    for stages in (2, 4):
        if world % stages:
            continue
        for schedule in get_args(Schedule):
            for replicas in get_args(Replicas) if world > stages else ("ddp",):
                piped = {"pipeline_stages": stages, "schedule": schedule, "replicas": replicas}
                yield _way(world, strategy="pipeline", **piped)
                for placed in (SHARDED, SERVED) if schedule in SHARDED_UNDER else ():
                    yield _way(world, strategy="pipeline", **placed, **piped)


def _way(world: int, **settings: object) -> ParallelismConfig:
    return ParallelismConfig.model_validate({"processes_per_node": world, "max_restarts": 0} | settings)


def compare(
    folder: Path, chosen: Sequence[ParallelismConfig], settings: Sequence[Setting], module: str = "benchmarks.ways"
) -> list[Compared]:
    """Train in every chosen way, and in one process, and compare.

    Args:
        folder: Empty.
        chosen: Ways of splitting.
        settings: What is trained in each.
        module: Trains.
    """
    one = _way(1)
    subjects = dict.fromkeys(setting.subject for setting in settings)
    tables = {subject: subject.write(folder / "tables" / subject.name) for subject in subjects}
    trained: dict[tuple[ParallelismConfig, Setting], FitJob] = {}
    for world in sorted({1, *(way.worlds[0] for way in chosen)}):
        own = [way for way in dict.fromkeys([one, *chosen]) if way.worlds[0] == world]
        jobs = {
            (way, setting): _job(folder / f"world-{world}-{number}-{which}", tables[setting.subject], way, setting)
            for number, way in enumerate(own)
            for which, setting in enumerate(settings)
            if not setting.refuses(way)
        }
        print(f"world {world}: {len(jobs)} trainings of {settings[0].steps} steps", flush=True)
        with shards(_way(world, **SERVED)) as (store, _):
            run_job(
                module, Ways(jobs=tuple(jobs.values())), folder / f"world-{world}", Trained,
                launcher=launcher(_way(world)), environment={**ENVIRONMENT, STORE: store},
            )  # fmt: skip
        trained |= jobs
    return [compared(trained[one, setting], job, setting) for (_, setting), job in trained.items()]


def _job(folder: Path, tables: TablesAt, way: ParallelismConfig, setting: Setting) -> FitJob:
    folder.mkdir()
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")
    experiment = client.create_experiment(folder.name, str(folder / "artifacts"))
    return FitJob(
        use_case=setting.subject.use_case,
        run_folder=str(folder),
        tables=tables,
        windows=(WINDOW,),
        known_windows=(WINDOW,),
        validation=Validation(window="none"),  # the last weights are compared, not the best
        parallelism=way,
        config=setting.config(),
        features=setting.subject.features,
        tracking_uri=client.tracking_uri,
        run_id=client.create_run(experiment).info.run_id,
    )


def main() -> None:
    """Compare all ways."""
    names = list(dict.fromkeys(setting.subject.use_case for setting in SETTINGS))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracking-uri", default="sqlite:///var/mlflow.db", help="MLflow's server or database")
    parser.add_argument("--use-case", choices=names, help="compare this one alone, in a section of its own")
    told = parser.parse_args()
    settings = [setting for setting in SETTINGS if told.use_case in (None, setting.subject.use_case)]
    with tempfile.TemporaryDirectory(prefix="equivalence-") as folder:
        found = compare(Path(folder), [way for world in (1, 2, 4) for way in ways(world)], settings)
    text = table(found)
    intro = (
        f"`make equivalence`: {EXACT.steps} steps, largest difference of a step's loss, and of the last weights (norm "
        "of the difference over the norm), from one process. Bars: 1e-9 in float64; in float32 1e-4 for the loss. "
        "Vision and language save weights in single precision: of these, differences below 6e-8 are not seen."
    )
    title = "Every way of splitting computes the same" + (f": {told.use_case}" if told.use_case else "")
    name = "equivalence" + (f"-{told.use_case}" if told.use_case else "")
    record(name, f"## {title}\n\n{intro}\n\n{machine()}\n\n{text}\n")
    print(text)
    _keep(told.tracking_uri, found, text)
    if not all(each.equal for each in found):
        sys.exit("Not every way of splitting computes the same: see `**no**` above.")


def _keep(uri: str, found: Sequence[Compared], text: str) -> None:
    """Store the table on an MLflow run."""
    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name("equivalence")
    artifacts = Path("var/artifacts/equivalence").resolve()
    experiment = known.experiment_id if known else client.create_experiment("equivalence", str(artifacts))
    run = client.create_run(experiment)
    rows = [each.row() for each in found]
    client.log_table(run.info.run_id, {name: [str(row[name]) for row in rows] for name in rows[0]}, "equivalence.json")
    client.log_text(run.info.run_id, text, "equivalence.md")
    for precision in sorted({each.setting.precision for each in found}):
        own = [each for each in found if each.setting.precision == precision]
        client.log_metric(run.info.run_id, f"{precision}/loss", max(each.loss for each in own))
        client.log_metric(run.info.run_id, f"{precision}/weights", max(each.weights for each in own))
    client.set_terminated(run.info.run_id)
    print(f"MLflow run {run.info.run_id} of experiment `equivalence` at {uri}")


if __name__ == "__main__":
    main()
