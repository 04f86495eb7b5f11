"""Requests that speech is shipped with beside its weights (`models.speech.weights`): an example and golden ones."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from data_contracts.binary import in_json
from data_contracts.job import Config, PublishJob

RATE = 8_000
EXAMPLE_SECONDS = 0.25
"""Of the example: it stands in tags and on pages."""
GOLDEN_SECONDS = (0.1, 0.4, 1.0, 2.3)
"""Of made-up sounds whose answers are kept."""


def example(job: PublishJob) -> Config:  # noqa: ARG001, the tables keep no sound
    """Ask what a made-up sound says: tables have frames alone, and those of people are not for pages."""
    return {"sound": in_json(wav(_made_up(EXAMPLE_SECONDS, seed=0)))}


def golden_requests(folder: Path) -> list[dict[str, object]]:  # noqa: ARG001, the same for all
    """Make up sounds of some lengths, and one that is silent; always the same."""
    sounds = [_made_up(seconds, seed) for seed, seconds in enumerate(GOLDEN_SECONDS)]
    return [{"sound": wav(sound)} for sound in (np.zeros(RATE // 2, np.float32), *sounds)]


def wav(samples: NDArray[np.float32], rate: int = RATE) -> bytes:
    """Write samples as a WAV of 16 bits."""
    written = BytesIO()
    soundfile.write(written, samples, rate, format="WAV", subtype="PCM_16")
    return written.getvalue()


def _made_up(seconds: float, seed: int) -> NDArray[np.float32]:
    """Draw some tones after each other, each with its overtones, and a little noise."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    pitch = np.repeat(random.uniform(90, 260, 8), -(-count // 8))[:count]
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(overtone * phase) / overtone for overtone in range(1, 8))
    found: NDArray[np.float32] = (0.1 * voice + random.normal(0, 0.005, count)).astype(np.float32)
    return found
