from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.payloads.sounds import SoundError, SoundLimits, Sounds
from tests.data_contracts.payloads.made_up import encoded, tone

LIMITS = SoundLimits(max_bytes=100_000, seconds=(0.1, 2), rates=(8_000, 24_000), max_channels=2, may_be_silent=False)
SOUNDS = Sounds(LIMITS)
WAV, FLAC = encoded(), encoded(kind="FLAC")
CUT = "sound cut short or not decodable"


def header(frames: int, *, rate: int = 16_000, channels: int = 1) -> bytes:
    """A WAV of 16 bits that says how long it is, and holds nothing."""
    size = frames * channels * 2
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt
        + b"data"
        + struct.pack("<I", size)
    )


def piped() -> bytes:
    """A WAV that did not know its length when it was begun."""
    return WAV[:40] + b"\xff\xff\xff\xff" + WAV[44:]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(WAV, None, id="WAV"),
        pytest.param(FLAC, None, id="FLAC"),
        pytest.param(encoded(tone(channels=2), "WAVEX", subtype="PCM_24"), None, id="24 bits, stereo"),
        pytest.param(encoded(subtype="FLOAT"), None, id="floats"),
        pytest.param(encoded(subtype="ULAW"), None, id="mu-law"),
        pytest.param(piped(), None, id="written into a pipe"),
        pytest.param(encoded(tone(0.1)), None, id="just long enough"),
        pytest.param(encoded(tone(2)), None, id="just short enough"),
        pytest.param(b"no sound", "sound is no WAV or FLAC", id="text"),
        pytest.param(encoded(kind="AIFF"), "sound is no WAV or FLAC", id="AIFF"),
        pytest.param(WAV + b"x" * 100_000, "sound of more than 100,000 bytes", id="many bytes"),
        pytest.param(WAV[:-200], CUT, id="WAV cut short"),
        pytest.param(WAV[:44], CUT, id="WAV of nothing"),
        pytest.param(WAV[:30], CUT, id="half a header"),
        pytest.param(FLAC[:-200], CUT, id="FLAC cut short"),
        pytest.param(FLAC[:60], CUT, id="FLAC of nothing"),
        pytest.param(header(2**30), CUT, id="hours, by a header alone"),
        pytest.param(encoded(tone(0.09)), "sound shorter than 0.1 s", id="short"),
        pytest.param(encoded(tone(2.1)), "sound longer than 2 s", id="long"),
        pytest.param(
            encoded(np.zeros((3_600 * 8_000, 1), np.float32), "FLAC", rate=8_000),
            "sound longer than 2 s",
            id="an hour of silence in few bytes",
        ),
        pytest.param(encoded(rate=7_999), "sound of fewer than 8,000 samples a second", id="slow"),
        pytest.param(encoded(rate=48_000), "sound of more than 24,000 samples a second", id="fast"),
        pytest.param(encoded(tone(channels=3)), "sound of more than 2 channels", id="three channels"),
        pytest.param(encoded(tone() * np.nan, subtype="FLOAT"), "sound with samples that are no numbers", id="NaN"),
        pytest.param(encoded(tone() * 0), "sound is silent", id="silence"),
        pytest.param(encoded(tone() * 1e-4, subtype="FLOAT"), "sound is silent", id="hardly a sound"),
        pytest.param(encoded(tone() * 0 + 0.5), "sound is silent", id="always the same"),
        pytest.param(encoded(tone() * 0.01), None, id="soft"),
        pytest.param(encoded(tone() * 3, subtype="FLOAT"), None, id="floats beyond full scale"),
        pytest.param(
            encoded(tone() * 1e19, subtype="FLOAT"), "sound of more than 100 times full scale", id="no floats at all"
        ),
    ],
)
def test_a_sound_is_judged(data: bytes, problem: str | None) -> None:
    assert SOUNDS.payload.problem_of(data) == problem
    assert problem is None or problem in SOUNDS.payload.problems
    if problem:
        with pytest.raises(SoundError, match="sound"):
            SOUNDS.decoded(data)


@pytest.mark.parametrize(
    "data", [encoded(tone(channels=2)), encoded(tone(channels=2), "FLAC"), encoded(tone(channels=2), subtype="FLOAT")]
)
def test_samples_are_those_of_the_file(data: bytes) -> None:
    sound = SOUNDS.decoded(data)
    assert sound.rate == 16_000
    np.testing.assert_allclose(sound.samples, tone(channels=2), atol=1 / 2**15)


def test_what_is_wrong_is_said_of_the_column() -> None:
    problems = Sounds(name="speech").payload.problems
    assert all(problem.startswith("speech ") for problem in problems)
    assert "speech longer than 60 s" in problems


def test_a_limit_that_is_never_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes is 8,388,609, wanted 1 to 8,388,608: ingest reads no longer value"):
        SoundLimits(max_bytes=8 * 2**20 + 1)


@given(
    st.sampled_from([WAV, FLAC, encoded(tone(0.2), subtype="FLOAT"), encoded(tone(0.2, channels=2), "FLAC")]), st.data()
)
@settings(deadline=None, max_examples=400)
def test_whatever_becomes_of_a_file_it_is_judged_and_nothing_is_raised(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    places = st.one_of(st.integers(0, 120), st.integers(0, len(whole) - 1))  # mostly the header
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        damaged[place] = byte
    end = data.draw(st.one_of(st.just(len(whole)), st.integers(0, 200), st.integers(0, len(whole))))
    problem = SOUNDS.payload.problem_of(bytes(damaged[:end]))
    assert problem is None or problem in SOUNDS.payload.problems


@given(
    st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt ", b"fLaC", b"fLaC\0\0\0\x22"]),
    st.binary(max_size=300),
)
@settings(deadline=None, max_examples=400)
def test_noise_is_no_sound(start: bytes, noise: bytes) -> None:
    assert SOUNDS.payload.problem_of(start + noise) in SOUNDS.payload.problems
