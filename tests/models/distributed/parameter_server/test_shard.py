from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.distributed.parameter_server.declared import Layers, Rules, Table
from models.distributed.parameter_server.errors import BrokenError, LateError, OtherEpochError, RefusedError
from models.distributed.parameter_server.gathered import Gradient, Push
from models.distributed.parameter_server.leases import Lease
from models.distributed.parameter_server.shard import ParameterShard

SECONDS = 30.0
TABLE = Table(name="item", count=20, width=2, numbers="float64")
VECTOR = Layers(name="layers", count=3, numbers="float64")
ALL = {"item": torch.arange(0, 20), "layers": None}


def made(
    shares: int = 1, staleness: int | None = None, compensation: float = 0.0, forgotten_after: int = 0
) -> ParameterShard:
    own = {"shares": shares, "staleness": staleness, "compensation": compensation, "forgotten_after": forgotten_after}
    shard = ParameterShard(Rules.model_validate({"epoch": 0, **own}))
    for told in (TABLE, VECTOR):
        shard.declare(told, epoch=0)
    return shard


def rows(numbers: list[int], value: float = 1.0, rate: float = 0.5) -> Gradient:
    return Gradient(torch.full((len(numbers), 2), value).double(), torch.tensor(numbers, dtype=torch.int64), rate)


def pushed(step: int, share: int = 0, factor: float | None = 1.0, **gradients: Gradient) -> Push:
    return Push(step, share, gradients or {"item": rows([3, 5])}, factor)


def values(shard: ParameterShard) -> dict[str, torch.Tensor]:
    return shard.read(ALL, epoch=shard.epoch, averages=False)


def pull(shard: ParameterShard, step: int, share: int = 0, seconds: float = SECONDS) -> dict[str, torch.Tensor]:
    return shard.pull(step, share, ALL, epoch=shard.epoch, seconds=seconds)


def waits(shard: ParameterShard, work: Callable[[], object]) -> threading.Thread:
    """Begin some work in a thread, and return it once it waits for the shard."""
    thread = threading.Thread(target=work)
    thread.start()
    while not shard._changed._waiters and thread.is_alive():  # type: ignore[attr-defined]
        time.sleep(0.001)
    assert thread.is_alive()
    return thread


def test_a_push_that_comes_again_is_not_learned_again() -> None:
    shard = made()
    shard.push(pushed(0), epoch=0)
    once = values(shard)
    shard.push(pushed(0), epoch=0)
    assert torch.equal(values(shard)["item"], once["item"])
    assert (shard.done().pushes, shard.done().repeated, shard.done().moved) == (1, 1, 2)
    together = made(shares=2)
    together.push(pushed(0, 1), epoch=0)
    together.push(pushed(0, 1), epoch=0)
    assert together.clock.count == 0, "share 0 is missing"
    assert together.done().repeated == 1


def test_shares_are_added_before_the_step_and_in_their_order() -> None:
    one, two, other = made(), made(shares=2), made(shares=2)
    summed = Gradient(torch.tensor([[0.3] * 2, [0.1] * 2, [0.2] * 2]).double(), torch.tensor([1, 3, 4]), 0.5)
    one.push(pushed(0, item=summed, layers=Gradient(torch.full((3,), 0.3).double(), rate=0.1)), epoch=0)
    shares = [
        pushed(0, 0, item=rows([1, 3], 0.1), layers=Gradient(torch.full((3,), 0.1).double(), rate=0.1)),
        pushed(0, 1, item=rows([1, 4], 0.2), layers=Gradient(torch.full((3,), 0.2).double(), rate=0.1)),
    ]
    for shard, order in ((two, shares), (other, shares[::-1])):
        for share in order:
            shard.push(share, epoch=0)
    for name, value in values(one).items():
        torch.testing.assert_close(values(two)[name], value, rtol=1e-14, atol=0)
        assert torch.equal(values(two)[name], values(other)[name])


def test_a_look_up_waits_until_it_would_be_fresh_enough() -> None:
    shard = made(shares=2, staleness=1)
    pull(shard, 0)
    pull(shard, 1)
    thread = waits(shard, lambda: pull(shard, 2))
    shard.push(pushed(0, 0), epoch=0)
    assert thread.is_alive()
    shard.push(pushed(0, 1), epoch=0)
    thread.join(SECONDS)
    assert not thread.is_alive()
    with pytest.raises(LateError, match=r"shard 0 has waited 0\.01 s for 2 steps before step 4, first of all shares 0"):
        pull(shard, 4, seconds=0.01)


def test_a_gradient_is_scaled_by_its_length_once_all_of_it_is_known() -> None:
    shard, plain = made(shares=2, staleness=0), made()
    shard.push(pushed(0, 0, None, item=rows([3], 3.0)), epoch=0)
    with pytest.raises(RefusedError, match="cannot be taken without share 1 of step 0"):
        shard.scale(0, 0.5, epoch=0)
    with pytest.raises(LateError, match=r"waited 0\.01 s for share 1 of step 0"):
        shard.squared_norm(0, epoch=0, seconds=0.01)
    shard.push(pushed(0, 1, None, item=rows([3], 1.0)), epoch=0)
    assert shard.squared_norm(0, epoch=0, seconds=SECONDS) == 32.0
    assert shard.clock.count == 0
    for _ in range(2):
        shard.scale(0, 0.5, epoch=0)
    assert shard.squared_norm(0, epoch=0, seconds=SECONDS) == 32.0, "the other trainer asks later"
    plain.push(pushed(0, item=rows([3], 2.0)), epoch=0)
    assert torch.equal(values(shard)["item"], values(plain)["item"])
    assert shard.clock.count == 1


@pytest.mark.parametrize(
    ("push", "said"),
    [
        pytest.param(pushed(0, stranger=rows([1])), "'stranger': it holds 'item', 'layers'", id="unknown table"),
        pytest.param(pushed(0, item=rows([3, 20, 21])), "'item': it does not have row 20, 21", id="unknown rows"),
        pytest.param(pushed(0, item=rows([5, 3, 3])), "'item': out of order, or there twice, is row 3, 3", id="order"),
        pytest.param(pushed(0, item=Gradient(torch.ones(2, 2).double())), "'item': numbers of rows are", id="none"),
        pytest.param(
            pushed(0, item=Gradient(torch.ones(2, 2), torch.tensor([1, 2]))),
            "'item': float32 (2, 2), wanted float64 (2, 2)",
            id="dtype",
        ),
        pytest.param(
            pushed(0, item=Gradient(torch.ones(2, 3).double(), torch.tensor([1, 2]))),
            "'item': float64 (2, 3), wanted float64 (2, 2)",
            id="shape",
        ),
        pytest.param(
            pushed(0, item=rows(list(range(1, 9)), float("nan"))),
            "'item': not finite is the gradient of row 1, 2, 3, 4, 5 and 3 more",
            id="no number",
        ),
        pytest.param(
            pushed(0, layers=Gradient(torch.tensor([1.0, torch.inf, 1.0]).double())),
            "'layers': 1 of its gradient's numbers are not finite",
            id="no number in layers",
        ),
        pytest.param(pushed(0, layers=rows([1])), "'layers': layers have no rows", id="rows of layers"),
        pytest.param(pushed(0, 2), "share 2: step 0 has 1, from 0", id="share"),
    ],
)
def test_a_wrong_push_is_refused_by_name_and_nothing_of_it_is_learned(push: Push, said: str) -> None:
    shard = made()
    right = {"layers": Gradient(torch.ones(3).double(), rate=0.1)} | dict(push.gradients)
    with pytest.raises(RefusedError) as error:
        shard.push(push._replace(gradients=right), epoch=0)
    assert said in str(error.value)
    assert all((value == 0).all() for value in values(shard).values())
    shard.push(pushed(0), epoch=0)
    assert shard.clock.count == 1, "it can be sent again, right"


@pytest.mark.parametrize(
    ("push", "said"),
    [
        (pushed(-1), "step -1: all before 0 are taken"),
        (pushed(1_000_000), "step 1,000,000: all before 0 are taken, and none so far ahead"),
        (pushed(0, item=rows([1], rate=float("inf"))), "step 0: the rate of 'item' is inf"),
        (pushed(0, factor=float("nan")), "step 0: the rate is nan"),
    ],
)
def test_a_step_or_a_rate_that_cannot_be_is_refused(push: Push, said: str) -> None:
    with pytest.raises(RefusedError) as error:
        made().push(push, epoch=0)
    assert said in str(error.value)


def test_a_shard_that_learned_a_step_in_part_does_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = made()
    monkeypatch.setattr(shard.stores["layers"], "learn", lambda *_, **__: torch.empty(-1))
    whole = pushed(0, item=rows([3]), layers=Gradient(torch.ones(3).double(), rate=0.1))
    with pytest.raises(RuntimeError, match="negative dimension"):
        shard.push(whole, epoch=0)
    for work in (lambda: shard.push(whole, epoch=0), lambda: values(shard)):
        with pytest.raises(BrokenError, match=r"step 0 was learned in part \(RuntimeError: .*\)\. Go on from the last"):
            work()


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(RefusedError, match=r"2 problems, nothing was learned:\n  - 'item': .*\n  - 'stranger': "):
        made().push(pushed(0, item=rows([99]), stranger=rows([1])), epoch=0)
    with pytest.raises(RefusedError, match=r"1 problem, nothing was read:\n  - 'item': it does not have row -1"):
        made().pull(0, 0, {"item": torch.tensor([-1])}, epoch=0, seconds=SECONDS)
    with pytest.raises(RefusedError, match=r"'item' is held as .*count=20.*, and asked for as .*count=21"):
        made().declare(TABLE.model_copy(update={"count": 21}), epoch=0)


def test_messages_of_another_placement_are_refused_and_who_waits_is_told() -> None:
    shard = made(staleness=0)
    refused: list[BaseException] = []

    def late() -> None:
        try:
            shard.pull(1, 0, ALL, epoch=0, seconds=SECONDS)
        except OtherEpochError as error:
            refused.append(error)

    thread = waits(shard, late)
    shard.move_to(2)
    thread.join(SECONDS)
    assert [str(each) for each in refused] == ["shard 0 is of placement 2, the message of 0: ask where shards are."]
    for epoch in (1, 3):
        with pytest.raises(OtherEpochError):
            shard.push(pushed(0), epoch=epoch)
    with pytest.raises(OtherEpochError, match="newer than 1"):
        shard.move_to(1)
    shard.push(pushed(0), epoch=2)
    assert shard.clock.count == 1


def test_late_gradients_are_corrected_by_what_their_rows_have_moved() -> None:
    shard, plain = made(compensation=2.0), made()
    for each in (shard, plain):
        each.pull(1, 0, {"item": torch.tensor([3, 4, 7])}, epoch=0, seconds=SECONDS)
        each.push(pushed(0, item=rows([3, 5])), epoch=0)
    moved = values(plain)["item"][3] - 0
    shard.push(pushed(1, item=rows([3, 5, 7])), epoch=0)
    corrected = torch.ones(3, 2).double()
    corrected[0] += 2.0 * moved  # row 5 was not looked up, row 7 did not move
    plain.push(pushed(1, item=Gradient(corrected, torch.tensor([3, 5, 7]), 0.5)), epoch=0)
    assert torch.equal(values(shard)["item"], values(plain)["item"])
    assert dict(shard.clock.staleness_seen) == {1: 1}


def test_rows_that_rest_are_forgotten() -> None:
    shard = made(forgotten_after=2)
    for step, numbers in enumerate([[3, 5], [3], [3]]):
        shard.push(pushed(step, item=rows(numbers)), epoch=0)
        assert shard.done().forgotten == 0
    shard.push(pushed(3, item=rows([3])), epoch=0)
    assert shard.done().forgotten == 1
    assert torch.equal(values(shard)["item"][5], torch.zeros(2).double())


def test_many_threads_lose_nothing() -> None:
    """Adagrad of gradients that are all alike ends the same in whatever order they come."""
    steps, workers = 200, 6
    shard, alone = made(staleness=8), made()
    numbers = iter(range(steps))
    lock = threading.Lock()

    def work(_: int) -> None:
        while True:
            with lock:
                step = next(numbers, None)
            if step is None:
                return
            assert pull(shard, step)["item"].shape == (20, 2)
            for _ in range(1 + step % 2):
                shard.push(pushed(step), epoch=0)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    for step in range(steps):
        alone.push(pushed(step), epoch=0)
    assert torch.equal(values(shard)["item"], values(alone)["item"])
    assert (shard.done().pushes, shard.done().repeated) == (steps, steps // 2)
    assert shard.clock.staleness_seen.total() == steps
    assert max(shard.clock.staleness_seen) <= 16


def test_a_trainer_waits_for_a_step_until_another_has_ended_one() -> None:
    shard = made(staleness=1)

    def lease(trainer: str, ended: int | None = None, seconds: float = SECONDS) -> Lease:
        return shard.lease(trainer, range(3), ended, start=1, epoch=0, seconds=seconds)

    assert lease("a") == Lease(0, is_done=False)
    assert lease("b") == Lease(1, is_done=False)
    assert lease("b") == Lease(1, is_done=False), "it has not heard the first answer"
    assert lease("c", seconds=0.01) == Lease(None, is_done=False)
    heard: list[Lease] = []
    thread = waits(shard, lambda: heard.append(lease("c")))
    assert lease("a", ended=0) == Lease(2, is_done=False)
    assert lease("a", ended=2, seconds=0.01) == Lease(None, is_done=False)
    assert lease("b", ended=1) == Lease(None, is_done=True)
    thread.join(SECONDS)
    assert heard == [Lease(None, is_done=True)]


def test_a_pass_that_was_begun_before_has_only_what_was_not_taken() -> None:
    shard = made(staleness=4)
    for step in (3, 5):
        shard.push(pushed(step), epoch=0)
    leased = [shard.lease(each, range(3, 6), None, start=1, epoch=0, seconds=0.01) for each in "ab"]
    assert leased == [Lease(4, is_done=False), Lease(None, is_done=False)]
