from __future__ import annotations

import inspect

import pytest
from torch.distributed.elastic.rendezvous import dynamic_rendezvous

import models.agent  # noqa: F401


def test_torchelastic_looks_through_no_modules_for_the_name_of_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        pytest.fail("with all that ranks need, this takes 0.2 s of a processor")

    def record() -> str:
        return str(dynamic_rendezvous.get_method_name())

    def keep_alive() -> str:
        return record()

    assert keep_alive() == "keep_alive"
    monkeypatch.setattr(inspect, "stack", asked)
    assert keep_alive() == "keep_alive"
