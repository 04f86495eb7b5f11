"""Shards whose processes are killed, stand still, or are cut off, under trainers that go on."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random

import psutil
import pytest
import torch

from benchmarks.shards import shards
from data_contracts.parallelism import ParallelismConfig
from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.errors import BrokenError, OtherEpochError
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import StreamTold
from tests.integration.conftest import free_ports

TABLE = Table(name="item", count=400, width=3, std=0.5, seed=2, numbers="float64")
VECTOR = Layers(name="layers", count=7, numbers="float64")
ALL = {"item": torch.arange(400), "layers": None}
TRAINERS = 2


class House:
    """Shards in processes, and trainers in threads that step together."""

    def __init__(self, stack: ExitStack, folder: Path, **server: float) -> None:
        told = {"rows": "served", "server": {"snapshot_seconds": 0, **server}, "max_restarts": 100}
        parallelism = ParallelismConfig.model_validate(told)
        self.place, _ = stack.enter_context(shards(parallelism, folder))
        self.directory = Directory(self.place)
        placement = self.directory.start(parallelism.server.shards, parallelism.server.replicas)
        self.trainers = [
            ParameterServer(Directory(self.place), placement, StreamTold(trainer=f"trainer {share}", numbers="float64"))
            for share in range(TRAINERS)
        ]
        for each in self.trainers:
            stack.callback(each.close)
        self.trainers[0].begin(Rules(epoch=placement.origin, shares=TRAINERS, staleness=0))
        self.trainers[0].declare([TABLE], [VECTOR])
        self.taken = 0

    def learn(self, steps: int) -> None:
        """Have all trainers take so many steps, each in a thread."""
        failures: list[BaseException] = []

        def train(share: int) -> None:
            try:
                for step in range(self.taken, self.taken + steps):
                    take_share(self.trainers[share], step, share)
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=train, args=(share,)) for share in range(TRAINERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not failures, failures
        self.taken += steps

    def process_of(self, endpoint: str) -> psutil.Process:
        """Return the process that listens there.

        Raises:
            LookupError: Nobody does.
        """
        port = int(endpoint.rsplit(":", 1)[1])
        for each in psutil.net_connections(kind="tcp"):
            if each.pid and each.status == "LISTEN" and each.laddr.port == port:
                return psutil.Process(each.pid)
        raise LookupError(f"nobody listens at {endpoint}.")

    def first_of(self, rank: int) -> str:
        """Return where trainers ask a shard."""
        return self.placed[rank][0]

    @property
    def placed(self) -> tuple[tuple[str, ...], ...]:
        """Return where all processes listen."""
        now = self.directory.now()
        assert now is not None
        return now.shards

    def kill(self, endpoint: str) -> None:
        process = self.process_of(endpoint)
        process.kill()
        process.wait()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    def held_twice(self) -> bool:
        """Whether every shard has two processes."""
        return all(len(each) == 2 and self.is_there(each) for each in self.placed)

    def is_there(self, endpoints: tuple[str, ...]) -> bool:
        with suppress(LookupError, psutil.Error):
            return all(self.process_of(each).is_running() for each in endpoints)
        return False


def take_share(end: ParameterServer, step: int, share: int) -> None:
    end.pull(step, share, ALL).result()
    end.wait(end.push(pushed(step, share)))
    length = end.squared_norm(step) ** 0.5
    end.wait(end.scale(step, min(1.0, 4 / length)))


def pushed(step: int, share: int) -> Push:
    generator = torch.Generator().manual_seed(step * 10 + share)
    number_U = torch.randperm(399, generator=generator)[:20].sort().values + 1
    row_UD = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    piece_P = torch.randn(7, generator=generator, dtype=torch.float64)
    gradients = {"item": Gradient(row_UD, number_U, 0.3), "layers": Gradient(piece_P, rate=0.1)}
    return Push(step, share, gradients, factor=None)


def undisturbed(steps: int) -> dict[str, torch.Tensor]:
    """Return what one shard without a socket has learned."""
    plain = ParameterShard(Rules(epoch=0, shares=TRAINERS, staleness=0))
    for told in (TABLE, VECTOR):
        plain.declare(told, epoch=0)
    for step in range(steps):
        for share in range(TRAINERS):
            plain.push(pushed(step, share), epoch=0)
        length = plain.squared_norm(step, epoch=0, seconds=1) ** 0.5
        plain.scale(step, min(1.0, 4 / length), epoch=0)
    return plain.read(ALL, epoch=0, averages=False)


def assert_learned(house: House, steps: int) -> None:
    wanted = undisturbed(steps)
    for end in house.trainers:
        found = end.read(ALL).result()
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., House]]:
    with ExitStack() as stack:
        yield lambda **told: House(stack, tmp_path, **told)


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_with_two_processes_nothing_is_lost_whichever_is_killed_whenever(made: Callable[..., House]) -> None:
    house, random = made(shards=2, replicas=2), Random(15)
    for turn in range(4):
        house.until(house.held_twice, "a killed process came back")
        endpoint = house.placed[turn % 2][0 if turn < 3 else 1]

        def kill(endpoint: str = endpoint, seconds: float = random.uniform(0, 0.2)) -> None:
            time.sleep(seconds)
            house.kill(endpoint)

        with meanwhile(kill):
            house.learn(40)
    assert_learned(house, 160)
    done = house.trainers[0].done()
    assert (done.taken, done.lost) == (160, 0)
    assert done.takeovers >= 1, "one for each first process that was killed while its second one was there"


def test_one_that_stands_still_is_left_and_changes_nothing_when_it_goes_on(made: Callable[..., House]) -> None:
    house = made(replicas=2)
    house.learn(3)
    silent = house.first_of(0)
    process = house.process_of(silent)
    process.suspend()
    house.learn(3)
    assert house.first_of(0) != silent
    process.resume()
    process.wait(60)
    house.until(house.held_twice, "it was started again, and follows")
    house.learn(3)
    assert_learned(house, 9)


def test_one_that_stands_still_in_mid_message_is_left_too(made: Callable[..., House]) -> None:
    """A push of more than the wire holds waits to be written, and no answer is waited for."""
    house = made(replicas=2)
    large = Table(name="large", count=60_001, width=64, numbers="float64")
    (end, _), number_U = house.trainers, torch.arange(1, 60_001)
    end.declare([large])
    for step, process in enumerate((0, 1)):
        house.until(house.held_twice, "it was started again")
        silent = house.process_of(house.placed[0][process])
        silent.suspend()
        value_UD = torch.ones(60_000, 64).double()
        pushes = [Push(step, share, {"large": Gradient(value_UD, number_U, 0.1)}) for share in range(TRAINERS)]
        sent = [trainer.push(each) for trainer, each in zip(house.trainers, pushes, strict=True)]
        for trainer, answers in zip(house.trainers, sent, strict=True):
            trainer.wait(answers)
        silent.resume()
    house.until(house.held_twice, "it holds the same again")
    assert end.done().taken == 2


def test_a_process_follows_before_anything_was_learned(made: Callable[..., House]) -> None:
    house = made(replicas=2)
    house.kill(house.placed[0][1])
    house.learn(1)
    house.until(house.held_twice, "it was started again")
    house.kill(house.placed[0][0])
    house.learn(2)
    assert_learned(house, 3)


def test_alone_it_goes_on_from_its_snapshot_and_says_what_is_lost(
    made: Callable[..., House], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = made(shards=2, snapshot_seconds=0.1)
    house.learn(5)
    house.until(lambda: len(list(tmp_path.rglob("shard-*-of-00002-step-0000000005"))) == 2, "both have written")
    keeper = house.process_of(house.first_of(1))
    (folder,) = {path.parent for path in tmp_path.rglob("shard-00002-*")}
    (folder / f".shard-00002-of-00002.{keeper.pid}.staged").write_text("in the way: no more snapshots")
    house.learn(4)
    assert not list(tmp_path.rglob("shard-00002-of-00002-step-0000000009"))
    keeper.kill()
    house.learn(4)
    assert house.trainers[0].done().lost == 4, "all since its snapshot"
    assert any("has not learned from 4 steps" in line for line in caplog.messages)
    wanted, found = undisturbed(13), house.trainers[0].read(ALL).result()
    even = torch.arange(0, 400, 2)
    torch.testing.assert_close(found["item"][even], wanted["item"][even], rtol=0.05, atol=0.05)
    assert (found["item"] - wanted["item"]).abs().max() < 1


def test_without_a_snapshot_trainers_are_told_to_go_back(made: Callable[..., House]) -> None:
    house = made()
    house.learn(2)
    house.kill(house.first_of(0))
    with pytest.raises(BrokenError, match=r"no snapshot of what it had learned\. Go on from the last checkpoint"):
        house.trainers[0].pull(2, 0, ALL).result()


def test_trainers_that_were_cut_off_change_nothing_once_others_have_started(made: Callable[..., House]) -> None:
    house = made()
    house.learn(2)
    house.directory.start(1, 1)
    with pytest.raises(OtherEpochError):
        house.directory.begin(house.trainers[0].placement)
    placement = house.directory.now()
    assert placement is not None
    new = ParameterServer(Directory(house.place), placement, StreamTold(trainer="new", numbers="float64"))
    assert new.learned() == 2
    with pytest.raises(OtherEpochError, match="is of placement 2, the message of 1"):
        house.trainers[0].pull(2, 0, ALL).result()
    new.close()


def test_prometheus_finds_what_a_shard_has_done(made: Callable[..., House]) -> None:
    (port,) = free_ports(1)
    house = made(metrics_port=port)
    house.learn(3)
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    endpoint = f'endpoint="{house.first_of(0)}"'
    for line in (
        f'nightshift_shard_pushes_total{{{endpoint},shard="0"}} 6.0',
        f'nightshift_shard_steps_total{{{endpoint},shard="0"}} 3.0',
        f'nightshift_shard_staleness_steps_bucket{{{endpoint},le="0.0",shard="0"}} 6.0',
        f'nightshift_shard_waited_seconds_total{{{endpoint},shard="0",trainer="1"}} ',
    ):
        assert line in text, text


def test_who_stands_for_a_shard_is_said_and_after_how_long(
    made: Callable[..., House], caplog: pytest.LogCaptureFixture
) -> None:
    house = made(replicas=2)
    house.learn(2)
    _, second = house.placed[0]
    os.kill(house.process_of(house.first_of(0)).pid, signal.SIGKILL)
    house.learn(2)
    said = rf"shard 0 was gone .*; {second} stands for it after \d+\.\d\d s"
    assert any(re.fullmatch(said, line) for line in caplog.messages), caplog.messages


@pytest.mark.drill
def test_whatever_happens_to_shards_nothing_that_was_acknowledged_is_lost(
    made: Callable[..., House], drill_seed: int, say: Callable[[str], None]
) -> None:
    """Killed, or standing still for longer than others wait, first or second, again and again; memory stays."""
    say(f"DRILL_SEED={drill_seed}")
    house, random = made(shards=2, replicas=2), Random(drill_seed)
    house.learn(50)
    sizes = [sum(house.process_of(each).memory_info().rss for shard in house.placed for each in shard)]
    for turn in range(30):
        house.until(house.held_twice, "a process came back")
        process = house.process_of(random.choice(random.choice(house.placed)))
        name, what = process.name(), random.choice(["killed", "killed", "stopped"])

        def do(process: psutil.Process = process, what: str = what, seconds: float = random.uniform(0, 0.3)) -> None:
            time.sleep(seconds)
            if what == "killed":
                process.kill()
                return
            process.suspend()
            time.sleep(6)
            process.resume()

        with meanwhile(do):
            house.learn(random.randrange(20, 60))
        sizes.append(sum(house.process_of(each).memory_info().rss for shard in house.placed for each in shard))
        say(f"{turn + 1}: {name} was {what}; {house.taken} steps, {sizes[-1] / 2**20:.0f} MiB")
    assert_learned(house, house.taken)
    assert house.trainers[0].done().lost == 0
    assert max(sizes) < 1.5 * sizes[0]
