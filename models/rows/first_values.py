"""First values of rows: a row's own follow from the seed and its number, whoever makes it, and when."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_MANTISSA = 53
"""Bits of a number that a float64 in [0, 1) holds."""
NUMBERS_AT_ONCE = 2**20
"""Drawn together: 8 MiB each of some arrays."""


def first_values(seed: int, number_U: NDArray[np.int64], width: int, std: float) -> Tensor:
    """Draw rows from a normal distribution around 0.

    Args:
        seed: Of the table.
        number_U: Which rows.
        width: D.
        std: Standard deviation.

    Returns:
        float32 (U, D); the same for a number whatever the others are.

    Source:
        Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (SplitMix64), OOPSLA 2014.
    """
    rows = max(NUMBERS_AT_ONCE // width, 1)
    values_UD = torch.empty(len(number_U), width)
    for start in range(0, len(number_U), rows):
        values_UD[start : start + rows] = _drawn(seed, number_U[start : start + rows], width) * (std * 2**0.5)
    return values_UD


def _drawn(seed: int, number_U: NDArray[np.int64], width: int) -> Tensor:
    column_D: NDArray[np.uint64] = np.arange(width, dtype=np.uint64)
    cell_UD: NDArray[np.uint64] = np.add.outer(number_U.astype(np.uint64) * np.uint64(width), column_D)
    start: NDArray[np.uint64] = np.array([seed], np.uint64)
    bits_UD = mixed(mixed(start) + cell_UD)
    chance_UD = ((bits_UD >> np.uint64(64 - _MANTISSA)).astype(np.float64) + 0.5) / 2.0**_MANTISSA
    return torch.erfinv(torch.from_numpy(2 * chance_UD - 1))


def mixed(cell: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a number for each that looks drawn, and is the same for the same one: SplitMix64's."""
    bits = (cell + np.uint64(1)) * _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))
