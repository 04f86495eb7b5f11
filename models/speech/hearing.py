"""From frames to texts: a network and its decoder, for judging and for answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.speech.log_mel import FRAMES_A_SECOND, Frames
from models.speech.decoding import Decoder, Heard
from models.speech.weights import Ready

FRAMES_AT_ONCE = 12_000
"""That pass through a network together, padding included: two minutes."""


class Listener:
    """Hears what is said.

    Args:
        ready: A network, and what is to be known of it.
    """

    def __init__(self, ready: Ready) -> None:
        self._network, record = ready
        seconds = record.network.subsampling / FRAMES_A_SECOND
        self._decoder = Decoder(("", *record.symbols), seconds=seconds, words=record.words)

    def heard(self, sounds: Sequence[Frames]) -> list[Heard | None]:
        """Return what each says; None where the network gives no number.

        Args:
            sounds: Of each its frames, one at least.
        """
        found: list[Heard | None] = [None] * len(sounds)
        for rows in _together([len(sound) for sound in sounds]):
            for row, logit_LV in zip(rows, self._logits([sounds[row] for row in rows]), strict=True):
                found[row] = self._decoder.heard(logit_LV) if np.isfinite(logit_LV).all() else None
        return found

    @torch.inference_mode()
    def _logits(self, sounds: Sequence[Frames]) -> list[NDArray[np.float32]]:
        padded = np.zeros((len(sounds), max(map(len, sounds)), sounds[0].shape[1]), np.float32)
        for row, sound in zip(padded, sounds, strict=True):
            row[: len(sound)] = sound
        logit_BLV = self._network(torch.from_numpy(padded)).numpy()
        return [row[: self._network.places(len(sound))] for row, sound in zip(logit_BLV, sounds, strict=True)]


def _together(lengths: Sequence[int]) -> list[list[int]]:
    """Put recordings of about one length together, so that little is padding."""
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if not groups or (len(groups[-1]) + 1) * lengths[row] > FRAMES_AT_ONCE:
            groups.append([])
        groups[-1].append(row)
    return groups
