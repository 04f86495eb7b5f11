"""Sounds as spectrograms, the logarithm of power in bands of the mel scale: the one way for tables and for requests.

Source:
    Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980; the mel
    scale as O'Shaughnessy, "Speech communication", 1987, has it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from data_contracts.payloads.sounds import Sound

Frames = NDArray[np.float16]

FRAMES_A_SECOND = 100
WINDOW_SECONDS = 0.025
FLOOR = 1e-10
"""Power below which all is silence, about that of rounding to 16 bits; full scale is 1."""
SILENCE = 1.0
"""What a band without power says. No frame of a sound is all zeros, so zeros can stand for no frame."""


def log_mel(sound: Sound, *, rate: int, mels: int) -> Frames:
    """Return a sound's spectrogram.

    Args:
        sound: Of any rate; its channels are averaged.
        rate: Samples a second that it is brought to first, Hz.
        mels: M: bands, between 0 Hz and half the rate.

    Returns:
        (frames, M), natural logarithms, `SILENCE` at least. Frame i is what is heard around ``i / FRAMES_A_SECOND``
        seconds; there is at least one.
    """
    samples = soxr.resample(sound.samples.mean(axis=1), sound.rate, rate)
    hop, size = rate // FRAMES_A_SECOND, round(rate * WINDOW_SECONDS)
    frames = max(-(-len(samples) // hop), 1)
    framed = np.zeros((frames - 1) * hop + size, np.float32)
    there = samples[: len(framed) - size // 2]
    framed[size // 2 : size // 2 + len(there)] = there
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    wave = np.fft.rfft(sliding_window_view(framed, size)[::hop] * window, _bins(size))
    power = (wave.real**2 + wave.imag**2) / (window**2).sum()
    loud = np.maximum(power @ _bands(rate, size, mels), FLOOR)
    said: Frames = (SILENCE + np.log(loud / FLOOR)).astype(np.float16)
    return said


def _bins(size: int) -> int:
    """Return over how many samples a window is transformed: so many that the narrowest band has some of its own."""
    return int(2 ** (np.ceil(np.log2(size)) + 1))


@lru_cache(maxsize=4)
def _bands(rate: int, size: int, mels: int) -> NDArray[np.float32]:
    """Return each frequency's share in each band, (frequencies, M): triangles, each from its neighbours' middles."""
    mel_F = _mel(np.fft.rfftfreq(_bins(size), 1 / rate).astype(np.float64))
    edge = np.linspace(0, _mel(np.array(rate / 2)), mels + 2)
    rising = (mel_F[:, None] - edge[:-2]) / (edge[1:-1] - edge[:-2])
    falling = (edge[2:] - mel_F[:, None]) / (edge[2:] - edge[1:-1])
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = 2595 * np.log10(1 + hertz / 700)
    return mel
