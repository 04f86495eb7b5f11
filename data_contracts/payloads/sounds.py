"""Sounds, from the bytes of a WAV or FLAC file to samples: the one way for rules, features and requests.

A sound is judged by its header before any of it is decoded: few bytes may say that they are hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from data_contracts.payloads.payload import Payload, refuse_vain_limit
from data_contracts.staging import MAX_BYTES

Samples = NDArray[np.float32]

SILENCE = 1e-3
"""Samples that differ by less, from the lowest to the highest, are nothing that people hear: -66 dB."""

_FRAMES_AT_ONCE = 64 * 1024
_KINDS = ("WAV", "WAVEX", "FLAC")
_BROKEN = (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, ArithmeticError, AssertionError, OSError)
"""What libsndfile's wrapper raises on bytes that are none of a sound, or not all."""
_LENGTH_UNKNOWN = 0xFFFF_FFFF
"""What a WAV says of its length that was written into a pipe."""


@dataclass(frozen=True)
class SoundLimits:
    """What a sound may be; each bound is allowed itself.

    Attributes:
        max_bytes: Of the file.
        seconds: Shortest and longest.
        rates: Fewest and most samples a second, Hz.
        max_channels: One and two are mono and stereo.
        max_level: Of samples, where a file has them as floats; full scale is 1, and some that were mixed are above.
        may_be_silent: Whether there may be nothing in it that people hear.

    Raises:
        ValueError: `max_bytes` is more than is ever read.
    """

    max_bytes: int = MAX_BYTES
    seconds: tuple[float, float] = (0.05, 60.0)
    rates: tuple[int, int] = (8_000, 48_000)
    max_channels: int = 2
    max_level: float = 100.0
    may_be_silent: bool = True

    def __post_init__(self) -> None:
        refuse_vain_limit(self.max_bytes)


class Sound(NamedTuple):
    """A sound that was decoded.

    Attributes:
        samples: (frames, channels), -1 to 1 where the file has whole numbers.
        rate: Frames a second, Hz.
    """

    samples: Samples
    rate: int


class SoundError(ValueError):
    """Bytes are no sound that is taken; the message is one of the payload's problems."""


class Sounds:
    """Judges and decodes sounds.

    Args:
        limits: That they keep.
        name: Of their column, for people.

    Attributes:
        payload: What a contract makes its rules of.
    """

    def __init__(self, limits: SoundLimits | None = None, name: str = "sound") -> None:
        self._limits = limits = limits or SoundLimits()
        (shortest, longest), (fewest, most) = limits.seconds, limits.rates
        self._too_long_a_file = f"{name} of more than {limits.max_bytes:,} bytes"
        self._other = f"{name} is no WAV or FLAC"
        self._undecodable = f"{name} cut short or not decodable"
        self._channels = f"{name} of more than {limits.max_channels} channels"
        self._too_slow = f"{name} of fewer than {fewest:,} samples a second"
        self._too_fast = f"{name} of more than {most:,} samples a second"
        self._too_short = f"{name} shorter than {shortest:g} s"
        self._too_long = f"{name} longer than {longest:g} s"
        self._no_number = f"{name} with samples that are no numbers"
        self._too_loud = f"{name} of more than {limits.max_level:g} times full scale"
        self._silent = f"{name} is silent"
        of_file = (self._too_long_a_file, self._other, self._undecodable)
        of_header = (self._channels, self._too_slow, self._too_fast, self._too_short, self._too_long)
        of_samples = (self._no_number, self._too_loud, self._silent)
        self.payload = Payload((*of_file, *of_header, *of_samples), self._problem_of)

    def decoded(self, data: bytes) -> Sound:
        """Decode a sound, a WAV or a FLAC.

        Raises:
            SoundError: It is no sound that is taken.
        """
        with self._opened(data) as file:
            return Sound(np.concatenate(list(self._blocks(file))), file.samplerate)

    def _problem_of(self, data: bytes) -> str | None:
        try:
            with self._opened(data) as file:
                for _ in self._blocks(file):
                    pass
        except SoundError as error:
            return str(error)
        return None

    def _opened(self, data: bytes) -> soundfile.SoundFile:
        """Read the header alone, and judge by it."""
        if len(data) > self._limits.max_bytes:
            raise SoundError(self._too_long_a_file)
        if not (_is_wav(data) or data.startswith(b"fLaC")):
            raise SoundError(self._other)
        if _is_wav(data) and _is_cut_short(data):
            raise SoundError(self._undecodable)
        try:
            file = soundfile.SoundFile(BytesIO(data))
        except _BROKEN as error:
            raise SoundError(self._undecodable) from error
        if problem := self._problem_of_header(file):
            file.close()
            raise SoundError(problem)
        return file

    def _problem_of_header(self, file: soundfile.SoundFile) -> str | None:
        limits, rate = self._limits, file.samplerate
        problems = {
            self._other: file.format not in _KINDS,
            self._channels: file.channels > limits.max_channels,
            self._too_slow: rate < limits.rates[0],
            self._too_fast: rate > limits.rates[1],
            self._too_short: file.frames < limits.seconds[0] * rate,
            self._too_long: file.frames > limits.seconds[1] * rate,
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)

    def _blocks(self, file: soundfile.SoundFile) -> Iterator[Samples]:
        """Yield samples; all of them are decoded, since only that tells a sound that was cut short."""
        there, lowest, highest = 0, np.inf, -np.inf
        while there < file.frames:
            try:
                block = file.read(min(_FRAMES_AT_ONCE, file.frames - there), dtype="float32", always_2d=True)
            except _BROKEN as error:
                raise SoundError(self._undecodable) from error
            if not len(block):
                raise SoundError(self._undecodable)
            if not np.isfinite(block).all():
                raise SoundError(self._no_number)
            there += len(block)
            lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
            if max(-lowest, highest) > self._limits.max_level:
                raise SoundError(self._too_loud)
            yield block
        if highest - lowest < SILENCE and not self._limits.may_be_silent:
            raise SoundError(self._silent)


def _is_wav(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def _is_cut_short(data: bytes) -> bool:
    """Whether a WAV says of its samples that they are more bytes than there are: libsndfile takes what it finds."""
    start = 12
    while start + 8 <= len(data):
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        if data[start : start + 4] == b"data":
            return size != _LENGTH_UNKNOWN and start + 8 + size > len(data)
        start += 8 + size + size % 2
    return True
