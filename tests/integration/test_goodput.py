"""How much of its time a training spends on steps that count while its processes are killed again and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from data_contracts.job import CheckpointConfig, FitJob
from data_contracts.parallelism import ParallelismConfig
from tests.models.lab import Lab
from tests.tasks.train.hosts import Hosts, Training, hosts, kill

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]
HOSTS = ("127.0.0.1", "127.0.0.2")
CALIBRATED = 100
"""Epochs after which the pace is known."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Ten users' walks each, laid out so that a step takes a tenth of a second or so: histories are long."""
    return Lab.of(tmp_path_factory.mktemp("lab"), steps=150, max_length=150)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Hosts]:
    with hosts(*HOSTS) as made:
        yield made


def job(lab: Lab, name: str, epochs: int) -> FitJob:
    config: dict[str, JsonValue] = {
        "network": {"width": 64, "blocks": 2},
        "loss": {"kind": "sampled_softmax", "negatives": 64},
        "fit": {"batch_size": 24, "max_epochs": epochs, "patience": epochs},
    }
    update = {
        "parallelism": ParallelismConfig(processes_per_node=1, min_nodes=2, max_nodes=2, max_restarts=100),
        "checkpoints": CheckpointConfig(every_seconds=2),
        "features": {"max_length": 150},
    }
    return lab.job(name, 1, config).model_copy(update=update)


def began(training: Training) -> float:
    """Wait for a training's first steps, and say when that was."""
    training.at(1)
    return time.time()


def ended(training: Training) -> float:
    """Say when its last step was."""
    return max(file.stat().st_mtime for file in (Path(training.job.run_folder) / "ledger").iterdir())


@pytest.mark.parametrize(("every", "kills", "bar"), [(60, 6, 0.65), (300, 3, 0.90)])
def test_a_training_whose_processes_are_killed_now_and_then_gets_on(
    every: int, kills: int, bar: float, lab: Lab, cluster: Hosts, seed: int, say: Callable[[str], None]
) -> None:
    calm = Training(cluster.scheduler, job(lab, f"calm-{every}", CALIBRATED))
    start = began(calm)
    calm.end(600)
    steps = len(calm.account().steps)
    pace = steps / (ended(calm) - start)
    epochs = int(every * kills * bar * pace / (steps / CALIBRATED))
    training = Training(cluster.scheduler, job(lab, f"killed-{every}", epochs))
    start, killed, chance = began(training), 0, random.Random(f"{seed} {every}")
    while not training.ended and killed < kills:
        time.sleep(max(start + killed * every + chance.uniform(0.2, 0.8) * every - time.time(), 0))
        ranks, agents = training.ranks(), training.processes("models.agent")
        if ranks and agents:
            kill(chance.choice(ranks if chance.random() < 0.75 else agents))
            killed += 1
    training.end(every * kills)
    found = training.account()
    goodput = len(found.steps) / pace / (ended(training) - start)
    say(
        f"DRILL_SEED={seed}: killed {killed} times, one in {every} s: goodput {goodput:.1%}; {found.starts} starts, "
        f"{len(found.steps):,} steps counted, {found.repeated:,} repeated, {pace:.1f} a second undisturbed"
    )
    assert goodput >= bar
