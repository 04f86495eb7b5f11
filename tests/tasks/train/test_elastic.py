"""What is killed in a training is started again, and the training ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from pydantic import JsonValue

from data_contracts.job import CheckpointConfig, FitJob, FitResult
from data_contracts.parallelism import ParallelismConfig
from tests.models.lab import Lab, weights_of
from tests.tasks.train.hosts import Hosts, Training, hosts, kill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 2, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "fit": {"batch_size": 40, "max_epochs": 40, "patience": 40, "warm_up_steps": 5, "precision": "64-true"},
}
"""480 steps of a few milliseconds each. No dropout: what a process drops is its own, and their number changes."""
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Hosts]:
    with hosts(FIRST, SECOND) as made:
        yield made


def job(lab: Lab, name: str, **parallelism: object) -> FitJob:
    config = ParallelismConfig.model_validate({"processes_per_node": 1, "min_nodes": 2, "max_nodes": 2} | parallelism)
    update = {"parallelism": config, "checkpoints": CheckpointConfig(every_seconds=1)}
    return lab.job(name, 1, CONFIG).model_copy(update=update)


@pytest.fixture(scope="module")
def undisturbed(lab: Lab, cluster: Hosts) -> FitResult:
    return Training(cluster.scheduler, job(lab, "undisturbed")).end()


def assert_same(result: FitResult, undisturbed: FitResult) -> None:
    torch.testing.assert_close(weights_of(result), weights_of(undisturbed), rtol=0, atol=0)
    assert result.model_copy(update={"checkpoint": ""}) == undisturbed.model_copy(update={"checkpoint": ""})


def test_killed_ranks_and_agents_change_nothing(lab: Lab, cluster: Hosts, undisturbed: FitResult) -> None:
    training = Training(cluster.scheduler, job(lab, "killed"))
    training.at(100)
    kill(training.processes("models.fit")[-1])
    training.at(200, starts=2)
    agents = training.processes("torch.distributed.run")
    assert len(agents) == 2
    kill(agents[0])
    training.at(300, starts=3)
    assert_same(training.end(), undisturbed)
    found = training.account()
    assert (len(found.steps), found.starts) == (480, 3)
    assert found.repeated > 0
    assert not training.processes("models.fit") + training.processes("torch.distributed.run")


def test_a_lost_host_is_done_without_and_taken_again_when_it_comes_back(
    lab: Lab, cluster: Hosts, undisturbed: FitResult
) -> None:
    training = Training(cluster.scheduler, job(lab, "changing", min_nodes=1))
    training.at(100)
    cluster.go(SECOND)
    training.at(200, starts=2)
    cluster.come(SECOND)
    training.at(300, starts=3)
    result = training.end()
    torch.testing.assert_close(weights_of(result), weights_of(undisturbed), rtol=1e-9, atol=1e-9)
    assert any(f"host {SECOND} is lost" in line for line in training.lines)
