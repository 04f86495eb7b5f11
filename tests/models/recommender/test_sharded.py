"""A table that no process may hold: trained, judged, shipped and asked, each under a limit that the kernel keeps.

The limit is Linux' RLIMIT_DATA, on what a process may write: files that it maps and reads are the system's own, and
count for RLIMIT_AS only, as would all libraries.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import JsonValue

from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob, TablesAt
from data_contracts.parallelism import ParallelismConfig
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.requests import REQUESTS
from data_contracts.table import Table
from models import memory
from models.publish import write_bundle
from models.recommender.evaluate import evaluate
from tasks.job import JobFailedError
from tasks.train.agent import failures
from tests.models.lab import Lab
from tests.models.ranks import run_limited
from tests.models.recommender.tables import write_tables
from tests.models.recommender.walks import ITEMS as MET
from tests.models.recommender.walks import walks

pytestmark = pytest.mark.slow

KNOWN, WIDTH = 400_000, 256
TABLE = 4 * (KNOWN + 1) * WIDTH
BESIDE = 300 * 2**20
"""Bytes for all else: stacks of some 25 threads, 8 MiB each, and the layers."""
PLENTY = BESIDE + TABLE * 8 // 5
"""For a process that trains: not enough for the table and its averages; a third of it with all that is saved fits."""
LITTLE = BESIDE + TABLE // 2
"""For one that judges and answers: not enough for the table."""
CONFIG: dict[str, JsonValue] = {
    "network": {"width": WIDTH, "blocks": 1, "heads": 2},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "fit": {"batch_size": 100, "max_epochs": 1, "warm_up_steps": 2},
}


def large_tables(folder: Path) -> TablesAt:
    """Lay out the walks of a few users, in a catalogue of which they met next to nothing."""
    tables = write_tables(folder, walks({"a": 10, "b": 4, "c": 2}, users=40), max_length=8)
    numbers = np.arange(MET + 1, KNOWN + 1)
    rows = {
        ITEMS: {"item_id": [f"item-{number}" for number in numbers], "item_index": numbers},
        ITEM_COUNTS: {"item_index": numbers, "count": np.ones_like(numbers)},
    }
    versions = dict(tables.versions)
    for contract, columns in rows.items():
        window = {"first_window" if contract is ITEMS else "window": ["a"] * len(numbers)}
        table = Table(str(folder), contract)
        versions[contract.name] = table.commit(table.write(pa.table(columns | window), "more"), consumed=["more"])
    return TablesAt(folder=str(folder), versions=versions)


@pytest.fixture(scope="module")
def job(lab: Lab) -> FitJob:
    config: Config = {**CONFIG}
    job = lab.job("sharded", 3, config, large_tables(lab.folder / "large"))
    return job.model_copy(update={"parallelism": sharded(3)})


def sharded(processes: int) -> ParallelismConfig:
    return ParallelismConfig(processes_per_node=processes, rows="sharded", max_restarts=0)


def test_a_table_is_trained_judged_and_shipped_by_processes_that_cannot_hold_it(lab: Lab, job: FitJob) -> None:
    result = lab.train(job, memory=PLENTY)
    assert run_limited(judge_and_ship, job, result.checkpoint, memory=LITTLE) == 0


def judge_and_ship(job: FitJob, checkpoint: str) -> None:
    same = {
        "use_case": job.use_case, "tables": job.tables, "known_windows": job.known_windows, "config": job.config,
        "features": job.features, "work_folder": job.run_folder,
    }  # fmt: skip
    judged = EvaluateJob(window="c", validation=job.validation, contestants={"candidate": checkpoint}, **same)
    assert math.isfinite(evaluate(judged).metrics["candidate"]["ndcg@10"])
    shipped = PublishJob(checkpoint=checkpoint, trained_through="b", tracking_uri="", run_id=job.run_id, **same)
    written = write_bundle(shipped)
    assert len(list(written.folder.glob("rows-*-of-00003.safetensors"))) == 3
    request = pa.Table.from_pylist([{"history": ["item-1", f"item-{KNOWN}"], "k": 3}], schema=REQUESTS.schema)
    (answer,) = written.predictor.predict(request).to_pylist()
    assert answer["source"] == "history"
    assert len(answer["item_id"]) == 3
    with pytest.raises(MemoryError):
        np.ones(TABLE, np.uint8)


def test_a_table_that_every_process_holds_has_no_room_there(lab: Lab, job: FitJob) -> None:
    local = job.model_copy(
        update={"run_folder": f"{job.run_folder}-local", "parallelism": ParallelismConfig(processes_per_node=3)}
    )
    with pytest.raises(JobFailedError):
        lab.train(local, memory=PLENTY)
    said = failures(Path(local.run_folder))
    assert said
    assert all(memory.ADVICE in each for each in said), said
