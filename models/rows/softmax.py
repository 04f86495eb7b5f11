"""Cross-entropy of targets among rows of a table, piece by piece: the scores are never all in memory.

The gradient of a piece is made on the way forward, while its scores are at hand, so none is computed twice and there is
nothing to keep for the way back. Shape letters: M states, m of a piece, K rows that compete, D width.

Source: as Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models", 2024, on a processor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SCORES_AT_ONCE = 1 << 20
"""Scores of a piece: 4 MiB in float32, what a processor keeps at hand."""


def cross_entropy(
    state_MD: Tensor, own_MD: Tensor, row_KD: Tensor, *, target_M: Tensor, number_K: Tensor, expected_K: Tensor | None
) -> Tensor:
    """Return the summed cross-entropy of each state's own row among itself and all rows of others that compete.

    Args:
        state_MD: A score is a state's product with a row.
        own_MD: Row of each state's target.
        row_KD: Rows that compete; one may be there several times.
        target_M: Number of each state's target, int64: it does not compete with itself.
        number_K: Numbers of the rows, int64, sorted where ``expected_K`` is None, and each once.
        expected_K: Logarithm of how often each row was expected to be drawn, which its score is less by; None where
            the rows are all there are.
    """
    with torch.autocast(state_MD.device.type, enabled=False):
        parts = (state_MD, own_MD, row_KD)
        total: Tensor = _CrossEntropy.apply(*parts, target_M, number_K, expected_K)  # type: ignore[no-untyped-call]
    return total


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401, torch's
        state_MD: Tensor,
        own_MD: Tensor,
        row_KD: Tensor,
        target_M: Tensor,
        number_K: Tensor,
        expected_K: Tensor | None,
    ) -> Tensor:
        gradients = tuple(torch.zeros_like(each) for each in (state_MD, own_MD, row_KD))
        state_gradient_MD, own_gradient_MD, row_gradient_KD = gradients
        total = state_MD.new_zeros(())
        size = max(SCORES_AT_ONCE // max(len(row_KD), 1), 1)
        for start in range(0, len(state_MD), size):
            piece = slice(start, start + size)
            state_mD, own_mD = state_MD[piece], own_MD[piece]
            score_mK = state_mD @ row_KD.T
            if expected_K is None:
                place_m = torch.searchsorted(number_K, target_M[piece])
                score_mK.scatter_(1, place_m[:, None], -torch.inf)
            else:
                score_mK -= expected_K
                score_mK.masked_fill_(number_K == target_M[piece, None], -torch.inf)
            own_m1 = (state_mD * own_mD).sum(dim=1, keepdim=True)
            highest_m1 = torch.maximum(score_mK.amax(dim=1, keepdim=True), own_m1)
            score_mK.sub_(highest_m1).exp_()
            weight_m1 = (own_m1 - highest_m1).exp()
            sum_m1 = score_mK.sum(dim=1, keepdim=True) + weight_m1
            total += (sum_m1.log() + highest_m1 - own_m1).sum()
            chance_mK = score_mK.div_(sum_m1)
            missing_m1 = weight_m1 / sum_m1 - 1
            torch.addmm(missing_m1 * own_mD, chance_mK, row_KD, out=state_gradient_MD[piece])
            torch.mul(missing_m1, state_mD, out=own_gradient_MD[piece])
            row_gradient_KD.addmm_(chance_mK.T, state_mD)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        return (*(gradient[0] * each for each in ctx.saved_tensors), None, None, None)
