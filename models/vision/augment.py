"""Moves and mirrors pictures by draws that depend on seed, step and picture alone.

So a picture is drawn the same whichever process takes it, and a training that was killed goes on with the same draws.

Source:
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: SplitMix64's last step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.vision.pictures import Pixels
from models.vision.config import AugmentConfig

_GAMMA, _FIRST, _SECOND = (np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def augmented(pixels_BHWC: Pixels, rows: NDArray[np.int64], config: AugmentConfig, *, seed: int, step: int) -> Pixels:
    """Return pictures moved, black where nothing is, and some of them mirrored.

    Args:
        pixels_BHWC: uint8.
        rows: Numbers of the pictures among all, (B,).
        config: How far, and whether.
        seed: Of the training.
        step: Of the training, from 0.
    """
    if not (config.shift or config.flip):
        return pixels_BHWC
    B, H, W, _ = pixels_BHWC.shape
    down_B, right_B, mirrored_B = (_drawn(seed, step, rows, number) for number in range(3))
    framed = np.pad(pixels_BHWC, ((0, 0), (config.shift, config.shift), (config.shift, config.shift), (0, 0)))
    places = np.uint64(2 * config.shift + 1)
    row_BH = (down_B % places).astype(np.int64)[:, None] + np.arange(H)
    column_BW = (right_B % places).astype(np.int64)[:, None] + np.arange(W)
    if config.flip:
        column_BW = np.where((mirrored_B % np.uint64(2) == 1)[:, None], column_BW[:, ::-1], column_BW)
    moved: Pixels = framed[np.arange(B)[:, None, None], row_BH[:, :, None], column_BW[:, None, :]]
    return moved


def _drawn(seed: int, step: int, rows: NDArray[np.int64], number: int) -> NDArray[np.uint64]:
    """Return one number of 64 bits a row, the ``number``-th that is drawn for it."""
    (start,) = np.random.SeedSequence([seed, step, number]).generate_state(1, np.uint64)
    mixed: NDArray[np.uint64] = start + _GAMMA * (rows.astype(np.uint64) + np.uint64(1))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))
