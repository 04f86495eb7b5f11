from __future__ import annotations

import numpy as np
import pytest

from data_contracts.payloads.sounds import Sound
from data_contracts.speech.log_mel import FRAMES_A_SECOND, SILENCE, log_mel


def tone(hertz: float, *, rate: int, seconds: float = 1.0, channels: int = 1) -> Sound:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    return Sound(np.repeat(wave[:, None], channels, axis=1).astype(np.float32), rate)


def test_a_tone_is_loudest_in_the_band_of_its_frequency() -> None:
    loudest = [int(log_mel(tone(hertz, rate=8_000), rate=8_000, mels=40)[50].argmax()) for hertz in (200, 1_000, 3_500)]
    assert loudest == [4, 18, 38]  # mels 283, 1,000 and 2,021 of 2,146, 52 each


@pytest.mark.parametrize(("rate", "channels"), [(11_025, 1), (16_000, 2), (48_000, 1)])
def test_rate_and_channels_of_a_recording_change_next_to_nothing(rate: int, channels: int) -> None:
    one = log_mel(tone(1_000, rate=8_000), rate=8_000, mels=40)
    other = log_mel(tone(1_000, rate=rate, channels=channels), rate=8_000, mels=40)
    assert one.shape == other.shape == (FRAMES_A_SECOND, 40)
    inside = slice(5, -5)
    assert np.abs(other[inside, 18].astype(float) - one[inside, 18]).max() < 0.05


def test_a_frame_says_what_is_heard_around_its_time() -> None:
    samples = np.zeros((16_000, 1), np.float32)
    samples[8_000] = 1
    heard = log_mel(Sound(samples, 16_000), rate=16_000, mels=80).astype(float).sum(axis=1)
    assert heard.argmax() == 50
    assert (heard[:48] == 80 * SILENCE).all()
    assert (heard[53:] == 80 * SILENCE).all()


@pytest.mark.parametrize("rate", [8_000, 44_100])
@pytest.mark.parametrize("samples", [1, 100, 400, 2_205])
def test_the_shortest_sound_has_a_frame_and_silence_is_never_zero(rate: int, samples: int) -> None:
    loud = np.full((samples, 2), 1.0, np.float32)
    for sound in (loud, np.zeros_like(loud)):
        frames = log_mel(Sound(sound, rate), rate=16_000, mels=80)
        assert frames.shape == (max(-(-samples * FRAMES_A_SECOND // rate), 1), 80)
        assert np.isfinite(frames).all()
        assert frames.min() >= SILENCE
