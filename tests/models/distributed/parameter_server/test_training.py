"""Trainings whose rows are served; that they compute what others compute is in ../test_equivalence.py."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from pydantic import JsonValue

from benchmarks.shards import shards
from data_contracts.job import CheckpointConfig, FitJob
from data_contracts.parallelism import ParallelismConfig
from data_contracts.parameter_server import STORE
from models.audit import account
from tests.models.lab import Lab, weights_of

CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 1, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "optimizer": {"learning_rate": 0.01, "row_learning_rate": 0.05},
    "fit": {"batch_size": 37, "max_epochs": 3, "warm_up_steps": 5},
}
STEPS = 39
SHARDS = 2


def job(lab: Lab, name: str, staleness: int, mode: str = "hybrid", **server: object) -> FitJob:
    """Return a training in two processes whose rows may be so many steps old."""
    told = {"rows": "served", "server": {"shards": SHARDS, "staleness": staleness, "mode": mode, **server}}
    parallelism = ParallelismConfig.model_validate({"processes_per_node": 2, "max_restarts": SHARDS, **told})
    return lab.job(name, 2, CONFIG).model_copy(update={"parallelism": parallelism})


def test_rows_that_may_be_stale_come_ahead_and_what_shards_did_is_kept_on_the_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = job(lab, "stale", 1)
    with shards(stale.parallelism) as (store, _):
        monkeypatch.setenv(STORE, store)
        assert lab.train(stale).metrics["validation/ndcg_at_10"] > 0.5
    kept = dict(lab.client.get_run(stale.run_id).data.metrics)
    assert (kept["server/steps"], kept["server/pushes"]) == (STEPS, STEPS * 2 * SHARDS)
    assert 0 < kept["server/staleness_mean"] <= kept["server/staleness_most"] == 1
    assert any("parameter server: 39 steps, " in line for line in lab.lines), lab.lines


def test_a_training_that_looks_ahead_is_killed_in_mid_epoch_and_sees_every_example_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = job(lab, "ahead", 1)
    stale = stale.model_copy(update={"checkpoints": CheckpointConfig(every_seconds=0.01)})
    with shards(stale.parallelism) as (store, _):
        monkeypatch.setenv(STORE, store)
        lab.killed(stale, "step", "after", 20)
        assert lab.train(stale).epochs == 3
    found = account(Path(stale.run_folder) / "ledger")
    assert (len(found.steps), found.starts) == (STEPS, 2)
    assert found.repeated < 20, "it went on from the middle of an epoch"


@pytest.mark.parametrize(
    ("mode", "staleness", "server"),
    [
        ("bounded", 1, {"travels": "bfloat16", "replicas": 2, "token_from": "SECRET"}),
        ("async", 0, {"compensation": 0.5, "forgotten_after": 30}),
    ],
)
def test_trainers_that_do_not_wait_for_each_other_see_every_example_once_and_learn(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, mode: str, staleness: int, server: dict[str, object]
) -> None:
    monkeypatch.setenv("SECRET", "nobody knows")
    alone = job(lab, f"{mode}-{staleness}", staleness, mode, **server)
    with shards(alone.parallelism) as (store, _):
        monkeypatch.setenv(STORE, store)
        found = lab.train(alone)
    assert (found.epochs, found.samples) == (3, 1335)
    assert found.metrics["validation/ndcg_at_10"] > 0.5
    kept = dict(lab.client.get_run(alone.run_id).data.metrics)
    assert kept["server/steps"] == STEPS
    assert kept["server/pushes"] == STEPS * SHARDS, "a step is one trainer's"
    assert kept["server/staleness_most"] <= (2 * staleness or STEPS)
    ledger = account(Path(alone.run_folder) / "ledger")
    assert (len(ledger.steps), ledger.repeated) == (STEPS, 0)
    lines = [len(path.read_text().splitlines()) for path in (Path(alone.run_folder) / "ledger").iterdir()]
    assert (len(lines), sum(lines)) == (2, STEPS)
    assert min(lines) > 0, "both had work"


def test_trainers_that_were_killed_go_on_with_what_shards_have_learned(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = job(lab, "async-killed", 0, "async")
    with shards(alone.parallelism) as (store, _):
        monkeypatch.setenv(STORE, store)
        assert lab.killed(alone, "checkpoint", "after") == [0]
        lab.killed(alone, "step", "after", 5)
        assert lab.train(alone).epochs == 3
    said = [line for line in lab.lines if "shards go on with the " in line]
    assert len(said) == 1
    found = account(Path(alone.run_folder) / "ledger")
    assert (len(found.steps), found.starts) == (STEPS, 3)
    assert found.repeated <= 4, "what both of two trainers worked on when one was killed, twice"
    kept = dict(lab.client.get_run(alone.run_id).data.metrics)
    assert kept["server/steps"] == STEPS, "shards have learned each once"


def test_what_trainers_learn_together_is_the_same_bit_for_bit_whatever_happens_to_shards(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once undisturbed, once with each shard's first process killed on the way, whose second one goes on."""
    calm, disturbed = (job(lab, name, 0, "sync", replicas=2) for name in ("calm", "disturbed"))
    found = []
    for each in (calm, disturbed):
        with shards(each.parallelism) as (store, beside), ThreadPoolExecutor(1) as training:
            monkeypatch.setenv(STORE, store)
            result = training.submit(lab.train, each)
            for rank in range(SHARDS) if each.run_folder == disturbed.run_folder else ():
                while len(account(Path(each.run_folder) / "ledger").steps) < 10 * (rank + 1):
                    assert not result.done(), result.exception()
                    time.sleep(0.01)
                assert beside.process is not None
                processes = psutil.Process(beside.process.pid).children()
                next(process for process in processes if process.name() == f"shard {rank}").kill()
            found.append(result.result())
    first, second = found
    assert first.metrics["validation/ndcg_at_10"] == second.metrics["validation/ndcg_at_10"] > 0.5
    torch.testing.assert_close(weights_of(second), weights_of(first), rtol=0, atol=0)
    kept = dict(lab.client.get_run(disturbed.run_id).data.metrics)
    assert (kept["server/lost"], kept["server/takeovers"]) == (0, SHARDS)
    assert kept["ledger/starts"] == 1
