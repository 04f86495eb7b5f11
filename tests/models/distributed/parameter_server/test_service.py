"""Shards behind sockets, as trainers meet them; the rules themselves are in test_shard.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch.distributed import TCPStore

from models.distributed.parameter_server import line
from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.errors import (
    LateError,
    OtherEpochError,
    ParameterServerError,
    RefusedError,
)
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.service import ShardService
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import Part, StreamTold

HOST = "127.0.0.1"
TABLE = Table(name="item", count=40, width=3, std=0.5, seed=2, numbers="float64")
VECTOR = Layers(name="layers", count=7, numbers="float64")
NUMBERS = torch.tensor([1, 2, 5, 8, 13, 21])

Opened = Callable[..., ParameterServer]


@pytest.fixture
def directory() -> Directory:
    """Return the shard map of a meeting of its own."""
    store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    return Directory(f"{HOST}:{store.port}/test", held=store)


@pytest.fixture
def services() -> Iterator[list[ShardService]]:
    started: list[ShardService] = []
    yield started
    for each in started:
        each.shutdown()


@pytest.fixture
def opened(services: list[ShardService], directory: Directory) -> Iterator[Opened]:
    """Start shards and return a trainer's end of them, or another trainer's of those that there are."""
    ends: list[ParameterServer] = []

    def start(
        shards: int = 1,
        *,
        rounds: bool = False,
        token: str = "",
        told: str = "",
        seconds: float = 30.0,
        **rules: int,
    ) -> ParameterServer:
        is_first = not services
        if is_first:
            services.extend(ShardService(HOST, rank, directory, token) for rank in range(shards))
            for rank, each in enumerate(services):
                directory.come(rank, 0, each.endpoint)
            directory.start(shards, replicas=1)
        stream = StreamTold(trainer=f"trainer {len(ends)}", numbers="float64", rounds=rounds)
        placement = directory.now()
        assert placement is not None
        end = ParameterServer(directory, placement, stream, seconds=seconds, token=told or token)
        ends.append(end)
        if is_first:
            end.begin(Rules.model_validate({"epoch": 1, **rules}))
        return end

    yield start
    for end in ends:
        end.close()


def declared(end: ParameterServer) -> ParameterServer:
    end.declare([TABLE], [VECTOR])
    return end


def pushed(step: int, share: int = 0, factor: float | None = 1.0) -> Push:
    generator = torch.Generator().manual_seed(step * 10 + share)
    row_UD = torch.randn(len(NUMBERS), 3, generator=generator, dtype=torch.float64)
    piece_P = torch.randn(7, generator=generator, dtype=torch.float64)
    gradients = {"item": Gradient(row_UD, NUMBERS, 0.3), "layers": Gradient(piece_P, rate=0.1)}
    return Push(step, share, gradients, factor)


ALL = {"item": torch.arange(40), "layers": None}


@pytest.mark.parametrize("shards", [1, 3])
def test_trainers_read_what_one_shard_without_a_socket_would_hold(opened: Opened, shards: int) -> None:
    plain = ParameterShard(Rules(epoch=0))
    for told in (TABLE, VECTOR):
        plain.declare(told, epoch=0)
    first = declared(opened(shards))
    second = declared(opened())
    for step in range(6):
        (first, second)[step % 2].wait((first, second)[step % 2].push(pushed(step)))
        plain.push(pushed(step), epoch=0)
    for averages in (False, True):
        wanted = plain.read(ALL, epoch=0, averages=averages)
        found = second.read(ALL, averages=averages).result()
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-14, atol=0)
    looked_up = first.pull(6, 0, {"item": NUMBERS}).result()
    torch.testing.assert_close(looked_up["item"], plain.read({"item": NUMBERS}, epoch=0, averages=False)["item"])


def test_a_step_is_taken_together_scaled_by_its_whole_length(opened: Opened) -> None:
    ends = [declared(opened(2, shares=2, staleness=0)), declared(opened())]
    plain = ParameterShard(Rules(epoch=0, shares=2))
    for told in (TABLE, VECTOR):
        plain.declare(told, epoch=0)
    for step in range(4):
        looked_up = [end.pull(step, share, ALL) for share, end in enumerate(ends)]
        first, second = (each.result() for each in looked_up)
        assert all(torch.equal(first[name], second[name]) for name in ALL)
        for share, end in enumerate(ends):
            end.push(pushed(step, share, None))
            plain.push(pushed(step, share, None), epoch=0)
        lengths = [end.squared_norm(step) for end in ends]
        assert lengths[0] == lengths[1] == pytest.approx(plain.squared_norm(step, epoch=0, seconds=1), rel=1e-12)
        for end in ends:
            end.wait(end.scale(step, 1 / lengths[0]))
        plain.scale(step, 1 / lengths[0], epoch=0)
    found, wanted = ends[0].read(ALL).result(), plain.read(ALL, epoch=0, averages=False)
    for name in ALL:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-12, atol=1e-15)


def test_numbers_travel_as_bfloat16_and_are_learned_as_they_are_held(opened: Opened) -> None:
    end = declared(opened(2, rounds=True))
    found = end.pull(0, 0, ALL).result()
    exact = end.read(ALL).result()
    assert torch.equal(found["item"], exact["item"].bfloat16().double())
    end.wait(end.push(pushed(0)))
    plain = ParameterShard(Rules(epoch=0))
    for told in (TABLE, VECTOR):
        plain.declare(told, epoch=0)
    rounded = {name: each._replace(value=each.value.bfloat16().double()) for name, each in pushed(0).gradients.items()}
    plain.push(pushed(0)._replace(gradients=rounded), epoch=0)
    assert torch.equal(end.read(ALL).result()["layers"], plain.read(ALL, epoch=0, averages=False)["layers"])


def test_who_asks_for_much_and_then_sends_much_reads_it_all(opened: Opened) -> None:
    """Either is more than a socket holds: two ends that only write would wait for each other."""
    end = opened()
    end.declare([Table(name="wide", count=5_000, width=100, std=0.5, numbers="float64")])
    number_U = torch.arange(1, 5_000)
    gradient_UD = torch.ones(len(number_U), 100, dtype=torch.float64)
    found = [end.pull(step, 0, {"wide": number_U}) for step in range(4)]
    sent = [end.push(Push(step, 0, {"wide": Gradient(gradient_UD, number_U, 0.1)})) for step in range(4)]
    assert [each.result()["wide"].shape for each in found] == [gradient_UD.shape] * 4
    for each in sent:
        end.wait(each)
    assert end.done().steps == 4


def test_a_wrong_question_is_answered_in_words_and_the_stream_goes_on(opened: Opened) -> None:
    end = declared(opened(2))
    wrong = pushed(0)._replace(
        gradients={"item": Gradient(torch.full((2, 3), torch.nan).double(), torch.tensor([2, 4]), 0.1)}
    )
    with pytest.raises(RefusedError, match="not finite is the gradient of row 2, 4"):
        end.wait(end.push(wrong))
    with pytest.raises(RefusedError, match="'user': it holds 'item', 'layers'"):
        end.pull(0, 0, {"user": NUMBERS}).result()
    end.wait(end.push(pushed(1)))
    end.placement = end.placement.model_copy(update={"epoch": 4})
    with pytest.raises(OtherEpochError, match="is of placement 1, the message of 4"):
        end.pull(0, 0, ALL).result()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"do": "put", "name": "user", "numbers": [1]}, "'user' is no table of this shard"),
        ({"do": "put", "name": "item", "numbers": [1, 40]}, "has 40 rows, and none with number 40"),
        ({"do": "state_of", "numbers": [40]}, "'item': it does not have row 40"),
        ({"do": "state_of", "numbers": [-1]}, "'item': it does not have row -1"),
        ({"do": "declare", "rows": [{"name": "x"}], "layers": []}, "'declare' was not understood: ValidationError"),
        ({"do": "scale", "step": 0, "factor": None}, "'scale' was not understood: TypeError"),
        ({"do": "nothing"}, "'nothing' was not understood: KeyError"),
    ],
)
def test_what_no_trainer_says_is_refused_and_the_stream_goes_on(
    opened: Opened, words: dict[str, object], said: str
) -> None:
    end = declared(opened())
    numbers = words.pop("numbers", None)
    parts = {} if numbers is None else {"item": Part.asked(torch.tensor(numbers))}
    with pytest.raises(RefusedError) as error:
        end.wait(end._ask(words, parts))
    assert said in str(error.value)
    end.wait(end.push(pushed(0)))


def test_a_shard_that_has_no_row_of_a_step_learns_the_rest(opened: Opened) -> None:
    end, push = declared(opened(2)), pushed(0)
    even = Gradient(torch.ones(2, 3).double(), torch.tensor([2, 4]), 0.3)
    end.wait(end.push(push._replace(gradients={**push.gradients, "item": even})))
    nobodys = even._replace(value=torch.empty(0, 3).double(), number_U=torch.empty(0, dtype=torch.int64))
    end.wait(end.push(Push(1, 0, {"item": nobodys, "layers": push.gradients["layers"]})))
    assert end.done().steps == 2
    assert end.pull(2, 0, {"item": even.number_U, "layers": None}).result()["item"].shape == (2, 3)


def test_what_nobody_can_answer_is_refused_and_the_stream_goes_on(
    opened: Opened, services: list[ShardService], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = declared(opened())
    monkeypatch.setattr(services[0].shard, "done", lambda: 1 // 0)
    with pytest.raises(RefusedError, match="'done' was not understood: ZeroDivisionError"):
        end.done()
    end.wait(end.push(pushed(0)))


@pytest.mark.parametrize("rate", [float("nan"), float("inf")])
def test_a_rate_that_json_cannot_say_is_refused(opened: Opened, rate: float) -> None:
    end, wrong = declared(opened()), pushed(0)
    with pytest.raises(RefusedError, match="'push' was not understood"):
        end.wait(end.push(wrong._replace(gradients={"item": wrong.gradients["item"]._replace(rate=rate)})))


def test_who_waits_too_long_is_told_for_what(opened: Opened) -> None:
    end = declared(opened(staleness=0, seconds=0.05))
    with pytest.raises(LateError, match=r"waited 0\.05 s for 3 steps before step 3, first of all share 0 of step 0"):
        end.pull(3, 0, ALL).result()


def test_a_wrong_token_is_refused_and_logged(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    declared(opened(token="right"))
    for told in ("wrong", "right "):
        with pytest.raises(ParameterServerError, match="the token is not that of this training"):
            declared(opened(told=told))
    assert [each for each in caplog.messages if "its token is not the training's" in each]


def test_a_start_is_told_once_and_again_and_an_older_one_is_refused(opened: Opened) -> None:
    end = declared(opened())
    end.wait(end.push(pushed(0)))
    held = end.read(ALL).result()
    end.begin(Rules(epoch=1))
    assert torch.equal(end.read(ALL).result()["item"], held["item"])
    for epoch in (0, 1):
        with pytest.raises(OtherEpochError, match=f"this shard has begun in placement 1, not {epoch}"):
            end.begin(Rules(epoch=epoch, shares=2))
    end.placement = end.anew()
    end.begin(Rules(epoch=end.placement.origin))
    with pytest.raises(RefusedError, match="'item': it holds nothing"):
        end.read({"item": NUMBERS}).result()


def test_a_shard_that_stands_still_is_left_by_who_waits_for_it(
    opened: Opened, services: list[ShardService], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "BEYOND_SECONDS", 0.1)
    end, goes_on = declared(opened(2, seconds=0.1)), threading.Event()
    monkeypatch.setattr(services[1].shard, "done", lambda: goes_on.wait(60))
    silent = services[1].endpoint
    with pytest.raises(LateError, match=rf"no answer in 0\.2 s from the shard at {silent}"):
        end.done()
    goes_on.set()
