"""Speech to try Nightshift on: Parquet files of WAVs, with what is said, who speaks, and when.

    python -m examples.speech                                                 made-up voices
    python -m examples.speech --next-day                                      one day more of them
    python -m examples.speech --folder var/digits/sounds --tar FILE           spoken digits, a day of each speaker
    python -m examples.speech --folder var/digits/sounds --tar FILE --official

The made-up ones come as five days: voices read one to five numbers aloud in Esperanto. On each day some are heard for
the first time; one recording is cut short, one is silent, one is a copy of an older one, and one is without a text.

FILE is an archive of the Free Spoken Digit Dataset (Jackson et al., 2016 to 2020): `<digit>_<speaker>_<index>.wav`.
Speakers are days in the order in which they came to it: two at first, and `--next-day` adds the next one. With
`--official` the newest day is the official test set, recordings 0 to 4 of each speaker and digit.
"""

from __future__ import annotations

import argparse
import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import soundfile

from examples.by_day import DAYS_AT_FIRST, FIRST_DAY, Days, parser, times_of, write
from examples.speech_voices import RATE, WORDS, read, voice

DAYS, RECORDINGS_A_DAY = 6, 240
VOICES_AT_FIRST, NEW_VOICES = 12, 2
MOST_WORDS = 5

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("jackson", "nicolas", "theo", "yweweler", "george", "lucas")
"""In the order in which they came to the data set."""
SPEAKERS_AT_FIRST = 2
JUDGING, INDICES_A_DAY = 5, 9
"""Recordings of a speaker and digit that judge, and those that are one of the days before."""
_NAME = re.compile(r"(?:.*/)?(\d)_([a-z]+)_(\d+)\.wav")


class Recording(NamedTuple):
    """A sound, what is said in it if anybody wrote it down, and who speaks."""

    sound: bytes
    text: str | None
    speaker: str


def made_up() -> Days:
    """Yield the days of made-up voices, always the same."""
    copied: Recording | None = None
    for number in range(DAYS):
        random = np.random.default_rng([number, 62])
        voices = VOICES_AT_FIRST + number * NEW_VOICES
        spoken = []
        for _ in range(RECORDINGS_A_DAY):
            text = " ".join(random.choice(WORDS, random.integers(1, MOST_WORDS + 1)))
            who = voice(int(random.integers(voices)))
            spoken.append(Recording(_wav(read(text, who, random)), text, who.name))
        first, second, third, *others = spoken
        broken = first._replace(sound=first.sound[: len(first.sound) // 2])
        silent = second._replace(sound=_wav(np.zeros(RATE, np.float32)))
        again, copied = copied or others[0], others[0]
        yield _day(number, [broken, silent, third._replace(text=None), *others, again])


def of_speakers(recordings: Sequence[tuple[int, Recording]]) -> Days:
    """Yield a day of each speaker, in the order in which they came."""
    for number, speaker in enumerate(SPEAKERS):
        yield _day(number, [each for _, each in recordings if each.speaker == speaker])


def official(recordings: Sequence[tuple[int, Recording]]) -> Days:
    """Yield days of recordings that are learned from, and then all that judge."""
    learned = sorted({index for index, _ in recordings if index >= JUDGING})
    days = [learned[start : start + INDICES_A_DAY] for start in range(0, len(learned), INDICES_A_DAY)]
    for number, indices in enumerate([*days, range(JUDGING)]):
        yield _day(number, [each for index, each in recordings if index in indices])


def of_tar(file: Path) -> list[tuple[int, Recording]]:
    """Return the recordings of an archive, with their indices, in the order of their names.

    Raises:
        ValueError: It is none, or holds no recording of that data set.
    """
    try:
        found = sorted(_members(file), key=lambda each: (each[0], each[1].speaker, str(each[1].text)))
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"{file} is no archive: {error}.") from error
    if not found:
        raise ValueError(f"{file} holds no recording, wanted names as 7_jackson_32.wav.")
    return found


def _members(file: Path) -> Iterator[tuple[int, Recording]]:
    with tarfile.open(file) as archive:
        for member in archive:
            name = _NAME.fullmatch(member.name)
            data = archive.extractfile(member) if name else None
            if name and data:
                digit, speaker, index = name.groups()
                yield int(index), Recording(data.read(), DIGITS[int(digit)], speaker)


def _day(number: int, recordings: Sequence[Recording]) -> tuple[date, pa.Table]:
    day = FIRST_DAY + timedelta(days=number)
    sounds, texts, speakers = zip(*recordings, strict=True)
    return day, pa.table(
        {
            "sound": pa.array(sounds, pa.binary()),
            "text": pa.array(texts, pa.string()),
            "speaker_id": pa.array(speakers, pa.string()),
            "spoken_at": times_of(day, len(sounds)),
        }
    )


def _wav(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, samples, RATE, format="WAV", subtype="PCM_16")
    return written.getvalue()


def _days(options: argparse.Namespace) -> tuple[Days, int | None]:
    if options.tar is None:
        return made_up(), DAYS_AT_FIRST
    recordings = of_tar(options.tar)
    return (official(recordings), None) if options.official else (of_speakers(recordings), SPEAKERS_AT_FIRST)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days that are not there yet, and say so.

    Raises:
        SystemExit: The command line is wrong, or the archive is; the message says how.
    """
    asked = parser("speech", "recordings with texts, speakers and times", "var/voices/sounds")
    asked.add_argument("--tar", type=Path, help="archive of spoken digits; made-up voices when left out")
    asked.add_argument("--official", action="store_true", help="of it, hold the official test set out")
    options = asked.parse_args(arguments)
    try:
        days, at_first = _days(options)
    except ValueError as error:
        asked.exit(1, f"recordings: {error}\n")
    write(days, options, at_first, "recordings")


if __name__ == "__main__":
    main()
