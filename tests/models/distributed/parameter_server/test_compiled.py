from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from models.distributed.parameter_server import compiled
from models.rows import rules
from models.rows.rules import RowState


@pytest.mark.parametrize(("dtype", "nearly"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_the_loop_moves_rows_as_tensors_do(dtype: torch.dtype, nearly: float) -> None:
    torch.manual_seed(3)
    loop_ND = torch.randn(50, 7, dtype=dtype)
    plain_ND = loop_ND.clone()
    loop, plain = RowState.of(loop_ND), RowState.of(plain_ND)
    for step in range(1, 30):
        number_U = torch.randperm(50)[: step % 11]
        gradient_UD = torch.randn(7, len(number_U), dtype=dtype).T  # not contiguous
        compiled.take_step(loop_ND, loop, number_U, gradient_UD, rate=0.1, decay=0.01, step=step)
        rules.take_step(plain_ND, plain, number_U, gradient_UD, rate=0.1, decay=0.01, step=step)
    for found, wanted in zip((loop_ND, *loop), (plain_ND, *plain), strict=True):
        torch.testing.assert_close(found, wanted, rtol=nearly, atol=nearly)


def test_a_row_whose_gradient_is_no_number_is_none_and_others_are_left_alone() -> None:
    weight_ND = torch.ones(3, 2)
    state = RowState.of(weight_ND)
    gradient_UD = torch.tensor([[float("nan"), 1.0]])
    compiled.take_step(weight_ND, state, torch.tensor([1]), gradient_UD, rate=0.1, step=1)
    assert weight_ND[1].isnan().all()
    assert torch.equal(weight_ND[[0, 2]], torch.ones(2, 2))


def test_what_is_compiled_as_a_shard_starts_is_what_steps_use() -> None:
    compiled.compile_now()
    before = list(compiled._move.signatures)  # type: ignore[attr-defined]  # Numba's own
    for dtype in (torch.float32, torch.float64):
        weight_ND = torch.ones(3, 2, dtype=dtype)
        number_U, gradient_UD = torch.tensor([0, 2]), torch.ones(2, 2, dtype=dtype)
        compiled.take_step(weight_ND, RowState.of(weight_ND), number_U, gradient_UD, rate=0.1, decay=0.01, step=7)
    assert list(compiled._move.signatures) == before  # type: ignore[attr-defined]


def test_a_trainer_does_not_import_the_compiler() -> None:
    asked = "import sys, models.distributed.parameter_server.trainer; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout == "False\n"
