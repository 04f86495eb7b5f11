"""Changes sounds by draws that depend on seed, step and sound alone. Shape letters: T frames, M bands.

So a sound is drawn the same whichever process takes it, and a training that was killed goes on with the same draws.

Sources: Jaitly and Hinton, "Vocal tract length perturbation improves speech recognition", 2013; Ko et al., "Audio
augmentation for speech recognition", Interspeech 2015 (speed); Park et al., "SpecAugment", Interspeech 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from data_contracts.speech.log_mel import SILENCE, Frames
from models.speech.config import SpeechAugmentConfig

Spectrum = NDArray[np.float32]

_CURVES = 4
"""Cosines that a microphone's response is drawn of."""


def augmented(
    frame_TM: Frames, row: int, config: SpeechAugmentConfig, *, seed: int, step: int, fewest: int = 1
) -> Spectrum:
    """Return a sound as it may be on another recording; no frame of it is all zeros.

    Args:
        frame_TM: Of `data_contracts.speech.log_mel`.
        row: Number of the sound among all.
        config: How far it is changed.
        seed: Of the training.
        step: Of the training, from 0.
        fewest: Frames that it keeps, however fast it is said: as many as there must be to say it at.
    """
    random = np.random.default_rng([seed, step, row])
    changed_TM = _warped(frame_TM.astype(np.float32), random, config, fewest)
    changed_TM = _recorded(changed_TM, random, config)
    return np.maximum(_masked(changed_TM, random, config), np.float32(SILENCE))


def longest(frames: int, config: SpeechAugmentConfig) -> int:
    """Return how many frames a sound of so many may have when it is changed."""
    return round(frames * (1 + config.stretch))


def _warped(frame_TM: Spectrum, random: Generator, config: SpeechAugmentConfig, fewest: int) -> Spectrum:
    """Say it slower or faster, and by a longer or shorter vocal tract."""
    T, M = frame_TM.shape
    frames = max(round(T * _factor(random, config.stretch)), fewest)
    changed_TM = _between(frame_TM, np.linspace(0, T - 1, frames, dtype=np.float32))
    band_M = (np.arange(M, dtype=np.float32) + 1) * np.float32(_factor(random, config.warp)) - 1
    return _between(changed_TM.T, band_M).T


def _recorded(frame_TM: Spectrum, random: Generator, config: SpeechAugmentConfig) -> Spectrum:
    """Have it recorded by another microphone, and noise beside."""
    T, M = frame_TM.shape
    phase_M = np.pi * (np.arange(M) + 0.5) / M
    curve_M = np.cos(np.arange(1, _CURVES + 1)[:, None] * phase_M).T @ (config.tilt * random.normal(size=_CURVES))
    changed_TM: Spectrum = (frame_TM + curve_M).astype(np.float32)
    if not config.noise:
        return changed_TM
    noise_TM = SILENCE + config.noise * random.random() + np.log(random.standard_exponential((T, M)))
    noisy_TM: Spectrum = np.logaddexp(changed_TM, noise_TM).astype(np.float32)
    return noisy_TM


def _masked(frame_TM: Spectrum, random: Generator, config: SpeechAugmentConfig) -> Spectrum:
    """Wipe out stretches of time and of bands: they say what is said in the mean."""
    mean = frame_TM.mean()
    for masks, share, along_NX in (
        (config.time_masks, config.time_mask_share, frame_TM),
        (config.mel_masks, config.mel_mask_share, frame_TM.T),
    ):
        for _ in range(masks):
            width = int(random.random() * (int(share * len(along_NX)) + 1))
            start = int(random.random() * (len(along_NX) - width + 1))
            along_NX[start : start + width] = mean
    return frame_TM


def _factor(random: Generator, most: float) -> float:
    """Draw a factor, as often above 1 as below."""
    return float((1 + most) ** random.uniform(-1, 1))


def _between(value_NX: Spectrum, place_K: Spectrum) -> Spectrum:
    """Return what is at places between rows, (K, X); beyond the ends it goes on as there."""
    place_K = place_K.clip(0, len(value_NX) - 1)
    below_K = np.minimum(place_K.astype(np.int64), max(len(value_NX) - 2, 0))
    above_K = np.minimum(below_K + 1, len(value_NX) - 1)
    share_K1 = (place_K - below_K)[:, None]
    between_KX: Spectrum = value_NX[below_K] * (1 - share_K1) + value_NX[above_K] * share_K1
    return between_KX
