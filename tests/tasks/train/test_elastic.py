"""What is killed in a training is started again, and the training ends as if nothing had happened."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import torch
from distributed import Client, Event
from pydantic import JsonValue

from data_contracts.job import CheckpointConfig, FitJob, FitResult
from data_contracts.parallelism import ParallelismConfig
from tasks.job import JobFailedError
from tasks.train.hosts import listed_workers
from tasks.train.shards import SERVE
from tests.integration.nights import FAULTS
from tests.models.lab import Lab, weights_of
from tests.tasks.train.hosts import Hosts, Training, hosts, kill, little_memory

pytestmark = pytest.mark.slow

CONFIG: dict[str, JsonValue] = {
    "network": {"width": 16, "blocks": 2, "dropout": 0.0},
    "loss": {"kind": "sampled_softmax", "negatives": 20},
}
"""No dropout: what a process drops is its own, and their number changes."""
FIT: dict[str, JsonValue] = {"batch_size": 40, "max_epochs": 20, "patience": 20, "warm_up_steps": 5}
STEPS = 240
"""Of a few milliseconds each."""
STOPPED_SECONDS = 10
HOGGED_SECONDS = 600
FIRST, SECOND, WITH_GPU = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Hosts]:
    places = {WITH_GPU: ("env", f"PYTHONPATH={FAULTS}", "FAULT_GPUS=1")}
    with hosts(FIRST, SECOND, places=places) as made:
        yield made


def job(lab: Lab, name: str, *, precision: str = "64-true", **parallelism: object) -> FitJob:
    config = ParallelismConfig.model_validate({"processes_per_node": 1, "min_nodes": 2, "max_nodes": 2} | parallelism)
    update = {"parallelism": config, "checkpoints": CheckpointConfig(every_seconds=1)}
    return lab.job(name, 1, {**CONFIG, "fit": {**FIT, "precision": precision}}).model_copy(update=update)


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> FitResult:
    """What two processes of one host come to, with nobody between them."""
    return lab.train(job(lab, "undisturbed", processes_per_node=2, min_nodes=1, max_nodes=1))


def assert_same(result: FitResult, undisturbed: FitResult) -> None:
    """See that the weights are the same bit for bit; metrics are single precision."""
    torch.testing.assert_close(weights_of(result), weights_of(undisturbed), rtol=0, atol=0)
    assert (result.epochs, result.samples) == (undisturbed.epochs, undisturbed.samples)
    assert result.metrics == pytest.approx(undisturbed.metrics, rel=1e-6)


@contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """Have processes stand still for `STOPPED_SECONDS`."""
    with ExitStack() as stack:
        for process in processes:
            process.suspend()
            stack.callback(process.resume)
        time.sleep(STOPPED_SECONDS)
        yield


@contextmanager
def hogs(number: int) -> Iterator[None]:
    """Have so many processes want a core each."""
    with ExitStack() as stack:
        for _ in range(number):
            hog = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(hog.kill)
        yield


def test_a_scheduler_that_stands_still_and_killed_ranks_and_agents_change_nothing(
    lab: Lab, cluster: Hosts, undisturbed: FitResult
) -> None:
    training = Training(cluster.scheduler, job(lab, "disturbed"))
    training.at(50)
    with stopped(cluster.process, *training.ranks()):  # ranks too: else they may come to their end
        assert training.account().starts == 1
    training.at(75)
    kill(training.ranks()[-1])
    training.at(125, starts=2)
    agents = training.processes("models.agent")
    assert len(agents) == 2
    kill(agents[0])
    training.at(175, starts=3)
    assert_same(training.end(), undisturbed)
    said = [line for line in training.lines if "lost" in line]
    assert said == ["Dask's scheduler does not answer: what trains goes on, and no host counts as lost meanwhile"]
    found = training.account()
    assert len(found.steps) == STEPS
    assert found.starts >= 3, "one more where a busy machine missed an agent's signs of life"
    assert found.repeated > 0
    assert not training.everything()


def test_killed_shards_and_ranks_change_nothing_where_rows_are_served(
    lab: Lab, cluster: Hosts, undisturbed: FitResult
) -> None:
    server = {"shards": 3, "replicas": 2, "snapshot_seconds": 0}
    training = Training(cluster.scheduler, job(lab, "served", rows="served", server=server))
    training.at(50)
    shards = {each.name(): each for host in training.processes(SERVE) for each in host.children()}
    assert sorted(shards) == [f"shard {rank}{copy}" for rank in range(3) for copy in ("", " copy 1")]
    kill(shards["shard 1"])
    training.at(90)
    assert training.account().starts == 1, "the other process has gone on for it"
    both = [shards[name] for name in ("shard 2", "shard 2 copy 1")]
    for each in both:
        each.suspend()  # on a busy machine one would be made anew from the other in between
    for each in both:
        kill(each)
    training.at(130, starts=2)
    kill(training.ranks()[0])
    training.at(160, starts=3)
    result = training.end()
    torch.testing.assert_close(weights_of(result), weights_of(undisturbed), rtol=1e-9, atol=1e-9)
    assert result.metrics == pytest.approx(undisturbed.metrics, rel=1e-6)
    assert any("no snapshot of what it had learned" in line for line in training.lines)
    assert not training.everything()


def lose_and_find(cluster: Hosts, training: Training) -> FitResult:
    """Have a host go, and come back, in mid-training."""
    both = training.together(2)
    training.at(50)
    cluster.go(SECOND)
    one = training.together(1, after=both)
    training.at(100, starts=one)
    training.hold()
    cluster.come(SECOND)
    training.together(2, after=one)
    return training.end()


def test_a_lost_host_is_done_without_and_taken_again_when_it_comes_back(
    lab: Lab, cluster: Hosts, undisturbed: FitResult
) -> None:
    training = Training(cluster.scheduler, job(lab, "changing", min_nodes=1))
    result = lose_and_find(cluster, training)
    torch.testing.assert_close(weights_of(result), weights_of(undisturbed), rtol=1e-9, atol=1e-9)
    assert any(f"host {SECOND} is lost" in line for line in training.lines)


def test_a_training_that_is_killed_leaves_no_process_on_any_host(lab: Lab, cluster: Hosts) -> None:
    training = Training(cluster.scheduler, job(lab, "ended"), place=("env",))
    training.at(20)
    (driver,) = training.processes("tests.tasks.train.driver")
    assert len(training.everything()) == 6, "the driver, the agents' store, on each host an agent and a rank"
    kill(driver)
    assert training.is_gone()


@pytest.mark.drill
def test_a_host_with_a_gpu_does_not_join_hosts_without(lab: Lab, cluster: Hosts) -> None:
    training = Training(cluster.scheduler, job(lab, "mixed", max_nodes=3))
    training.at(20)
    training.hold()
    cluster.come(WITH_GPU)
    try:
        with pytest.raises(JobFailedError) as refused:
            training.end()
    finally:
        cluster.go(WITH_GPU)
    shown = f"{FIRST} has none, {SECOND} has none, {WITH_GPU} has 1"
    assert f"hosts with and without GPUs cannot train together: {shown}" in str(refused.value)
    assert training.is_gone()


def test_a_host_whose_worker_is_busy_is_named_after_a_while(lab: Lab, cluster: Hosts) -> None:
    with Client(cluster.scheduler, set_as_default=False) as client:
        (address,) = (worker for worker in listed_workers(client) or () if SECOND in worker)
        busy = client.submit(lambda: Event("over").wait(), workers=[address])
        try:
            with pytest.raises(
                JobFailedError, match=rf"is busy with something else, or hangs: {SECOND}; .* waited 5 s"
            ):
                Training(cluster.scheduler, job(lab, "busy", join_seconds=5)).end()
        finally:
            Event("over", client=client).set()
        busy.result()


@pytest.mark.drill
def test_no_host_is_called_lost_while_others_want_the_machine(lab: Lab, cluster: Hosts) -> None:
    endless = job(lab, "hogged")
    fit: dict[str, JsonValue] = {**FIT, "max_epochs": 100_000, "patience": 100_000}
    endless = endless.model_copy(update={"config": {**endless.config, "fit": fit}})
    training = Training(cluster.scheduler, endless, place=("env",))
    with hogs(4 * (os.cpu_count() or 1)):
        training.at(20)
        begun, before = time.monotonic(), max(training.account().steps)
        training.until(lambda: time.monotonic() - begun > HOGGED_SECONDS, 2 * HOGGED_SECONDS)
        assert max(training.account().steps) > before, "it stands still"
    assert training.account().starts == 1, training.lines
    assert not [line for line in training.lines if "lost" in line or "does not answer" in line]
    kill(training.processes("tests.tasks.train.driver")[0])
    assert training.is_gone()


@pytest.mark.drill
def test_in_single_precision_too_a_lost_host_costs_no_example_and_no_quality(lab: Lab, cluster: Hosts) -> None:
    calm = Training(cluster.scheduler, job(lab, "single", precision="32-true")).end()
    training = Training(cluster.scheduler, job(lab, "single-changing", precision="32-true", min_nodes=1))
    assert lose_and_find(cluster, training).metrics == pytest.approx(calm.metrics, rel=0.02)
    assert len(training.account().steps) == STEPS


@pytest.mark.drill
def test_a_dead_worker_beside_another_of_its_host_changes_nothing(
    lab: Lab, cluster: Hosts, undisturbed: FitResult
) -> None:
    cluster.come(FIRST)
    training = Training(cluster.scheduler, job(lab, "beside"))
    training.at(50)
    (agent,) = (each for each in training.processes("models.agent") if f"--local-addr={FIRST}" in each.cmdline())
    kill(psutil.Process(agent.ppid()))
    training.at(100, starts=2)
    assert_same(training.end(), undisturbed)
    assert any(f"host {FIRST} is lost" in line for line in training.lines)


@pytest.mark.drill
def test_a_killed_store_is_started_again_and_changes_nothing(lab: Lab, cluster: Hosts, undisturbed: FitResult) -> None:
    training = Training(cluster.scheduler, job(lab, "store"))
    training.at(50)
    (store,) = training.processes("models.rendezvous")
    kill(store)
    training.at(100, starts=2)
    (other,) = training.processes("models.rendezvous")
    assert other.pid != store.pid
    assert_same(training.end(), undisturbed)


@pytest.mark.drill
def test_a_scheduler_that_ends_ends_the_training_with_what_to_do(lab: Lab) -> None:
    with hosts(FIRST, SECOND) as gone:
        training = Training(gone.scheduler, job(lab, "no-scheduler"))
        training.at(20)
        kill(gone.process)
        with pytest.raises(JobFailedError, match="Dask's scheduler is gone, and its workers end with it"):
            training.end()
    assert training.is_gone()


@pytest.mark.drill
def test_ranks_that_are_killed_too_often_end_the_training_with_what_to_do(lab: Lab, cluster: Hosts) -> None:
    training = Training(cluster.scheduler, job(lab, "too-often", max_restarts=1))
    for start in (1, 2):
        training.at(50 * start, starts=start)
        kill(training.ranks()[0])
    with pytest.raises(JobFailedError, match=r"than max_restarts \(1\) times, .* counted no kill for lack of memory"):
        training.end()
    assert training.account().starts == 2


@pytest.mark.drill
def test_ranks_that_the_kernel_kills_for_lack_of_memory_end_the_training_with_what_to_do(lab: Lab) -> None:
    large: dict[str, JsonValue] = {**CONFIG, "network": {"width": 2048, "blocks": 4, "dropout": 0.0}}
    with little_memory(megabytes=1200) as small, hosts(FIRST, places={FIRST: small}) as poor:
        asked = job(lab, "large", min_nodes=1, max_nodes=1).model_copy(update={"config": large})
        training = Training(poor.scheduler, asked)
        with pytest.raises(
            JobFailedError, match=r"the kernel killed 3 processes .* for lack of memory .*\n?Lower model"
        ):
            training.end()
    said = [line for line in training.lines if "the kernel killed" in line]
    assert len(said) >= 2, training.lines
