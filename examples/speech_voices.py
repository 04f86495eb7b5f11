"""Made-up voices that read numbers aloud in Esperanto, which is spoken as it is written: a sound for each letter.

A sound is a source, a voice or noise, through resonators at its formants (Klatt, "Software for a cascade/parallel
formant synthesizer", 1980, far simplified). Formants are those of men; a shorter vocal tract has higher ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 8_000
WORDS = ("nul", "unu", "du", "tri", "kvar", "kvin", "ses", "sep", "ok", "na\u016d")
"""0 to 9."""

Samples = NDArray[np.float64]


class Letter(NamedTuple):
    """How one is spoken.

    Attributes:
        formants: Hz.
        voiced: Share of the source that is a voice; the rest is noise.
        seconds: How long.
        closed: Seconds of silence before, as of a plosive.
        loud: Beside a vowel.
    """

    formants: tuple[float, ...]
    voiced: float
    seconds: float
    closed: float = 0.0
    loud: float = 1.0


LETTERS = {
    "a": Letter((750, 1_250, 2_500), 1, 0.12),
    "e": Letter((480, 1_850, 2_500), 1, 0.11),
    "i": Letter((280, 2_250, 2_950), 1, 0.10),
    "o": Letter((500, 880, 2_450), 1, 0.12),
    "u": Letter((300, 700, 2_250), 1, 0.11),
    "\u016d": Letter((320, 760, 2_200), 1, 0.08, loud=0.7),
    "n": Letter((250, 1_500, 2_300), 1, 0.07, loud=0.5),
    "l": Letter((350, 1_050, 2_700), 1, 0.07, loud=0.7),
    "r": Letter((450, 1_350, 1_700), 1, 0.06, loud=0.6),
    "v": Letter((300, 1_400, 3_000), 0.6, 0.06, loud=0.4),
    "s": Letter((2_800, 3_500), 0, 0.10, loud=0.5),
    "d": Letter((350, 1_750, 2_600), 0.5, 0.03, 0.04, 0.6),
    "t": Letter((1_800, 2_900), 0, 0.04, 0.05, 0.5),
    "k": Letter((1_500, 2_200), 0, 0.04, 0.05, 0.5),
    "p": Letter((700, 1_100), 0, 0.03, 0.05, 0.4),
}


class Voice(NamedTuple):
    """Who speaks.

    Attributes:
        name: Always the same.
        pitch: Hz.
        tract: Factor of the formants.
        pace: Factor of how long sounds are.
        room: Loudness of the noise around.
    """

    name: str
    pitch: float
    tract: float
    pace: float
    room: float


def voice(number: int) -> Voice:
    """Return a voice, always the same."""
    random = np.random.default_rng([number, 61])
    return Voice(
        f"voice-{number:02}",
        pitch=random.uniform(90, 230),
        tract=random.uniform(0.92, 1.2),
        pace=random.uniform(0.8, 1.25),
        room=random.uniform(0.005, 0.05),
    )


def read(text: str, voice: Voice, random: np.random.Generator) -> NDArray[np.float32]:
    """Read words aloud, a pause between them; (frames,) at `RATE`, -1 to 1."""
    sounds = [_silence(random.uniform(0.05, 0.2))]
    for word in text.split():
        sounds += [_spoken(LETTERS[letter], voice, random) for letter in word]
        sounds.append(_silence(random.uniform(0.06, 0.2) * voice.pace))
    whole = np.concatenate(sounds)
    whole *= random.uniform(0.2, 0.6) / max(np.abs(whole).max(), 1e-9)
    return (whole + random.normal(0, voice.room, len(whole))).astype(np.float32)


def _spoken(letter: Letter, voice: Voice, random: np.random.Generator) -> Samples:
    count = round(letter.seconds * voice.pace * random.uniform(0.8, 1.2) * RATE)
    pitch = voice.pitch * random.uniform(0.9, 1.1)
    phase = np.cumsum(np.full(count, pitch / RATE)) % 1
    buzz = np.diff(phase, prepend=1) < 0
    source = letter.voiced * buzz * RATE / pitch / 8 + (1 - letter.voiced) * random.normal(0, 1, count)
    for formant in letter.formants:
        source = _resonated(source, min(formant * voice.tract * random.uniform(0.96, 1.04), 0.47 * RATE))
    loud = letter.loud / max(float(np.sqrt(np.mean(source**2))), 1e-9)
    fade = np.minimum(np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.01 * RATE), 1)
    return np.concatenate([_silence(letter.closed * voice.pace), loud * fade * source])


def _resonated(source: Samples, formant: float) -> Samples:
    width = 60 + formant / 15
    radius = np.exp(-np.pi * width / RATE)
    found: Samples = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], source)
    return found


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE))
