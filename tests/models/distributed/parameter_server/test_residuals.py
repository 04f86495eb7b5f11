from __future__ import annotations

import pytest
import torch

from models.distributed.parameter_server import residuals
from models.distributed.parameter_server.gathered import Gradient
from models.distributed.parameter_server.residuals import Residuals


def test_what_rounding_takes_comes_with_the_next_gradient() -> None:
    lost, sent, exact = Residuals(), torch.zeros(7), torch.zeros(7)
    generator = torch.Generator().manual_seed(3)
    for _ in range(50):
        value_P = torch.randn(7, generator=generator)
        rounded = lost.rounded("layers", Gradient(value_P, rate=0.1), rows=0)
        assert torch.equal(rounded.value, rounded.value.bfloat16().float())
        assert rounded.rate == 0.1
        sent, exact = sent + rounded.value, exact + value_P
    assert (sent - exact).abs().max() < 0.02, "never more than one rounding is missing"


@pytest.mark.parametrize("most", [2**26, 8 * 4 * 2], ids=["all rows have a place", "some share one"])
def test_a_row_gets_what_it_has_lost_itself(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(residuals, "MOST", most)
    lost, sent, exact = Residuals(), torch.zeros(40, 2), torch.zeros(40, 2)
    generator, losses = torch.Generator().manual_seed(3), []
    for _ in range(60):
        number_U = torch.randperm(40, generator=generator)[:9].sort().values
        value_UD = torch.randn(9, 2, generator=generator)
        rounded = lost.rounded("item", Gradient(value_UD, number_U, 0.1), rows=40)
        assert torch.equal(rounded.value, rounded.value.bfloat16().float())
        sent[number_U] += rounded.value
        exact[number_U] += value_UD
        losses.append((sent - exact).abs().max())
    if most > 1000:
        assert max(losses) < 0.02, "never more than one rounding is missing"
    else:
        assert max(losses) < 0.08, "a place that another row took has lost what it had, and nobody else gets it"
