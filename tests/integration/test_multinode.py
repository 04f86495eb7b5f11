"""Two real hosts: networks of their own, joined by a wire. What is lost between them, or with one, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random

import psutil
import pytest
import torch
from pydantic import JsonValue

from data_contracts.job import CheckpointConfig, FitResult
from data_contracts.parallelism import ParallelismConfig
from tasks.train.shards import SERVE
from tests.integration.namespaces import FIRST, SECOND, Host, two_hosts
from tests.models.lab import Lab, weights_of
from tests.tasks.train.hosts import Hosts, Training, hosts, kill

pytestmark = [pytest.mark.multinode, pytest.mark.slow]

FIT: dict[str, JsonValue] = {"batch_size": 8, "max_epochs": 2, "warm_up_steps": 5, "precision": "64-true"}
CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 2, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
    "fit": FIT,
}
"""Two epochs. No dropout: what a process drops is its own, and their number changes."""
STEPS, EXAMPLES = 112, 445
HERE, AWAY = SECOND, FIRST
"""The training's first process is on the host whose address is the lower: the one that is lost, which is harder."""
CUT_SECONDS = 8
"""Less than the 30 s after which Dask gives a connection up."""
PIPELINE = {"strategy": "pipeline", "pipeline_stages": 2, "schedule": "1f1b", "microbatches": 4}


@dataclass(frozen=True)
class Site:
    """Two hosts, a cluster on them, and what is trained there."""

    hosts: dict[str, Host]
    cluster: Hosts
    lab: Lab

    def train(self, name: str, *, epochs: int = 2, **parallelism: object) -> Training:
        asked = {"processes_per_node": 1, "min_nodes": 2, "max_nodes": 2} | parallelism
        update = {
            "parallelism": ParallelismConfig.model_validate(asked),
            "checkpoints": CheckpointConfig(every_seconds=1),
        }
        config = {**CONFIG, "fit": {**FIT, "max_epochs": epochs, "patience": epochs}}
        job = self.lab.job(name, 1, config).model_copy(update=update)
        return Training(self.cluster.scheduler, job, self.hosts[HERE].place)

    @contextmanager
    def cut_off(self, address: str) -> Iterator[None]:
        """Cut a host's wire for so long that its worker is lost; then it is there again, with another."""
        try:
            with self.hosts[address].cut():
                yield
        finally:
            self.cluster.go(address)
            self.cluster.come(address)


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    with two_hosts() as made:
        places = {address: host.place for address, host in made.items()}
        with hosts(HERE, AWAY, scheduler_host=HERE, places=places) as cluster:
            yield Site(made, cluster, lab)


@pytest.fixture(scope="module")
def alone(lab: Lab) -> FitResult:
    """What one process on one host comes to."""
    return lab.train(lab.job("alone", 1, CONFIG))


def assert_close(result: FitResult, other: FitResult) -> None:
    torch.testing.assert_close(weights_of(result), weights_of(other), rtol=1e-9, atol=1e-9)
    assert result.metrics == pytest.approx(other.metrics)


def assert_counted(training: Training, *, starts: int) -> None:
    found = training.account()
    assert (len(found.steps), found.starts, bool(found.repeated)) == (STEPS, starts, starts > 1)
    assert sum(step.examples for step in found.steps.values()) == 2 * EXAMPLES


@pytest.mark.drill
def test_a_pipeline_over_two_hosts_ends_there_too(site: Site, alone: FitResult) -> None:
    training = site.train("pipeline", **PIPELINE)
    assert_close(training.end(), alone)
    assert_counted(training, starts=1)


@pytest.mark.drill
def test_a_host_that_is_cut_off_ends_its_part_and_is_done_without(site: Site, alone: FitResult) -> None:
    training = site.train("cut-off", min_nodes=1)
    both = training.together(2)
    training.at(30)
    with site.cut_off(AWAY):
        training.until(lambda: any(f"host {AWAY} is lost" in line for line in training.lines))
        training.until(lambda: not any("models.fit" in command for command in site.hosts[AWAY].commands()))
        assert training.account().starts == both, "the others went on before it had ended"
        assert_close(training.end(), alone)
    assert_counted(training, starts=both + 1)


def test_fsdp_over_two_hosts_waits_for_a_wire_that_is_cut_and_does_without_a_host_that_dies(
    site: Site, alone: FitResult
) -> None:
    training = site.train("died", min_nodes=1, strategy="fsdp")
    both = training.together(2)
    training.at(20)
    with site.hosts[AWAY].cut():
        time.sleep(CUT_SECONDS / 2)
        reached = len(training.account().steps)
        time.sleep(CUT_SECONDS / 2)
        assert len(training.account().steps) == reached < STEPS
    training.at(reached + 10)
    assert training.account().starts == both
    with site.cut_off(AWAY):
        site.hosts[AWAY].kill()
        assert_close(training.end(), alone)
    assert_counted(training, starts=both + 1)


def processes(training: Training, what: str) -> list[psutil.Process]:
    """Return its ranks, or its shards."""
    if what == "a rank":
        return training.ranks()
    return [each for each in training.processes(SERVE) if each.name().startswith("shard")]


def one_of(training: Training, what: str, random: Random) -> psutil.Process | None:
    """Return one of them once there is one; none of a training that has ended."""
    there: list[psutil.Process] = []

    def are_there() -> bool:
        there[:] = processes(training, what)
        return training.ended or bool(there)

    training.until(are_there)
    return random.choice(there) if there else None


@pytest.mark.drill
@pytest.mark.parametrize(("mode", "staleness"), [("hybrid", 0), ("bounded", 4), ("async", 0)])
def test_shards_and_ranks_that_are_killed_and_a_wire_that_is_cut_lose_no_example(
    site: Site, drill_seed: int, say: Callable[[str], None], mode: str, staleness: int
) -> None:
    say(f"DRILL_SEED={drill_seed}, {mode}")
    random, epochs = Random(drill_seed), 12
    server = {"mode": mode, "staleness": staleness, "shards": 2, "replicas": 2, "snapshot_seconds": 0}
    asked = {"rows": "served", "server": server, "max_restarts": 50}
    calm = site.train(f"calm-{mode}", epochs=epochs, **asked).end()
    training = site.train(f"chaos-{mode}", epochs=epochs, **asked)
    for step in range(40, 56 * epochs - 40, 40):
        training.until(lambda step=step: training.ended or max(training.account().steps, default=0) >= step)
        if training.ended:
            break
        what = random.choice(["a shard", "a shard", "a shard", "a rank", "the wire"])
        if what == "the wire":
            with site.hosts[AWAY].cut():
                time.sleep(random.uniform(1, CUT_SECONDS))
        else:
            each = one_of(training, what, random)
            with suppress(ProcessLookupError):  # it may be gone by now
                if each is not None:
                    kill(each)
        say(f"step {step}: {what}")
    result = training.end()
    found = training.account()
    assert sum(step.examples for step in found.steps.values()) == epochs * EXAMPLES
    loss, wanted = result.metrics["train/loss"], calm.metrics["train/loss"]
    say(f"{found.starts} starts; loss {loss:.4f}, undisturbed {wanted:.4f}")
    assert loss == pytest.approx(wanted, rel=0.02)
    assert not any("has not learned from" in line for line in training.lines)
    if mode == "hybrid":
        torch.testing.assert_close(weights_of(result), weights_of(calm), rtol=1e-9, atol=1e-9)
