from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from distributed import Client

from tasks.train.hosts import MISSES, Presence, listed_workers

BOTH, ONE, NOBODY = ("a", "b"), ("a",), ()


@pytest.mark.parametrize(
    ("answers", "present"),
    [
        pytest.param([BOTH], "ab", id="listed"),
        pytest.param([ONE], "a", id="never came"),
        pytest.param([BOTH, ONE], "ab", id="missed once"),
        pytest.param([BOTH, NOBODY], "ab", id="an answer that lists nobody"),
        pytest.param([BOTH, *[ONE] * (MISSES - 1)], "ab", id="missed almost often enough"),
        pytest.param([BOTH, *[ONE] * MISSES], "a", id="lost"),
        pytest.param([BOTH, *[ONE] * (MISSES - 1), BOTH, *[ONE] * (MISSES - 1)], "ab", id="seen in between"),
        pytest.param([BOTH, *[ONE, BOTH] * MISSES], "ab", id="missed every other time"),
        pytest.param([BOTH, *[ONE] * MISSES, BOTH], "ab", id="came back"),
        pytest.param([BOTH, *[NOBODY] * MISSES], "", id="all are lost"),
        pytest.param([], "", id="no answer at all"),
    ],
)
def test_a_worker_is_lost_once_answers_in_a_row_left_it_out(answers: Sequence[Sequence[str]], present: str) -> None:
    presence = Presence()
    for answer in answers:
        presence.hear(answer)
    assert [worker for worker in BOTH if worker in presence] == list(present)


def test_what_the_client_remembers_is_not_asked(cluster: str) -> None:
    """The client's own callback, every two seconds, overwrites what it remembers with an answer that lists nobody."""
    with Client(cluster, set_as_default=False) as client:
        wanted = listed_workers(client)
        assert wanted is not None
        assert len(wanted) == 2
        over = threading.Event()

        def forget() -> None:
            while not over.is_set():
                client.sync(client._update_scheduler_info)

        forgetful = threading.Thread(target=forget)
        forgetful.start()
        try:
            assert all(listed_workers(client) == wanted for _ in range(300))
        finally:
            over.set()
            forgetful.join()
