from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.job import DEVICES, Devices, commit
from tasks.train.watch import unequal


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        pytest.param({"a": (0, 4), "b": (0, 4)}, "", id="equal"),
        pytest.param(
            {"b": (2, 2), "a": (0, 4)},
            "hosts with and without GPUs cannot train together: a has none, b has 2. Take",
            id="one with GPUs",
        ),
        pytest.param({"a": (0, 4), "b": (0, 2)}, "4 on a, 2 on b. Set it, to 2 or less.", id="fewer cores"),
    ],
)
def test_hosts_that_cannot_train_together_are_named(
    hosts: dict[str, tuple[int, int]], said: str, tmp_path: Path
) -> None:
    (tmp_path / DEVICES).mkdir()
    for host, (gpus, processes) in hosts.items():
        commit(Devices(gpus=gpus, processes=processes), tmp_path / DEVICES / f"{host}.json")
    found = unequal(tmp_path, [*hosts, "one that said nothing yet"])
    assert said in found
    assert bool(found) == bool(said)
