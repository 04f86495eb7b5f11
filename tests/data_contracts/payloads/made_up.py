"""Made-up sounds, as the bytes of files."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import soundfile
from numpy.typing import NDArray


def tone(seconds: float = 0.5, *, rate: int = 16_000, channels: int = 1) -> NDArray[np.float32]:
    """Return a tone of 440 Hz, (frames, channels)."""
    frames = np.arange(round(seconds * rate))
    wave = 0.5 * np.sin(2 * np.pi * 440 * frames / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encoded(
    samples: NDArray[np.float32] | None = None, kind: str = "WAV", *, rate: int = 16_000, subtype: str = "PCM_16"
) -> bytes:
    """Write samples as a file's bytes."""
    written = BytesIO()
    soundfile.write(written, tone() if samples is None else samples, rate, format=kind, subtype=subtype)
    return written.getvalue()
