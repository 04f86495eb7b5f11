"""How a shard moves rows: `models.rows.rules.take_step` as one loop, where tensors would be read eight times.

Every trainer waits for it. Compiling takes a second of a processor, Numba's import with it: shards do it once a host,
while trainers start; a trainer's own rows are moved by tensors. What was compiled is kept in Numba's cache: beside this
file, or, where that cannot be written, in the user's own.
Shape letters: N rows that there is room for, U rows of a step, D width.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.power_average import GAMMA, share
from models.rows.rules import EPSILON, RowState

Values = NDArray[Any]

logger = logging.getLogger(__name__)

SUMS_IN_ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What lets a sum be made of many numbers at once. NaN and infinity stay what they are."""


def take_step(
    weight_ND: Tensor,
    state: RowState,
    number_U: Tensor,
    gradient_UD: Tensor,
    *,
    rate: float,
    decay: float = 0.0,
    step: int,
) -> None:
    """See `models.rows.rules.take_step`; on a processor."""
    sums_N1, moved_N1, average_ND = (each.numpy() for each in state)
    read_U, read_UD = number_U.numpy(), gradient_UD.contiguous().numpy()
    tables = (weight_ND.numpy(), sums_N1, moved_N1, average_ND)
    _move(*tables, read_U, read_UD, rate, decay, step, share(step), EPSILON, GAMMA + 1)


def compile_now() -> None:
    """Compile it, or read what was compiled before; else the first step would wait for that."""
    for dtype in (torch.float32, torch.float64):
        weight_ND = torch.zeros(1, 1, dtype=dtype)
        first_U, state = torch.zeros(1, dtype=torch.int64), RowState.of(weight_ND)
        take_step(weight_ND, state, first_U, weight_ND.clone(), rate=0.0, step=1)


def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Have it compiled when it is called first; kept, if there is a place for that."""
    try:
        compiled: Callable[..., None] = numba.njit(
            function, cache=True, fastmath=SUMS_IN_ANY_ORDER, nogil=True, error_model="numpy"
        )
    except RuntimeError as error:
        logger.warning("the loop over rows is compiled anew for each host: %s. Set NUMBA_CACHE_DIR", error)
        compiled = numba.njit(function, fastmath=SUMS_IN_ANY_ORDER, nogil=True, error_model="numpy")
    return compiled


@_compiled
def _move(
    weight_ND: Values,
    sum_of_squares_N1: Values,
    moved_N1: Values,
    average_ND: Values,
    number_U: NDArray[np.int64],
    gradient_UD: Values,
    rate: float,
    decay: float,
    step: int,
    share_of_step: float,
    epsilon: float,
    power: int,
) -> None:
    """Move rows one after another, in place.

    ``share_of_step`` is that of this step in an average, and ``power`` the one by which an average forgets. A number of
    another module would be kept with what was compiled, whatever became of it.
    """
    width = gradient_UD.shape[1]
    before = max(step - 1, 1)
    for place, number in enumerate(number_U):
        squares = 0.0
        for column in range(width):
            squares += gradient_UD[place, column] * gradient_UD[place, column]
        sum_of_squares_N1[number, 0] += squares / width
        moves_by = rate / (np.sqrt(sum_of_squares_N1[number, 0]) + epsilon)
        left = (moved_N1[number, 0] / before) ** power
        for column in range(width):
            value, average = weight_ND[number, column], average_ND[number, column]
            average = value + (average - value) * left
            value = value * (1 - decay) - moves_by * gradient_UD[place, column]
            weight_ND[number, column] = value
            average_ND[number, column] = average + (value - average) * share_of_step
        moved_N1[number, 0] = step
