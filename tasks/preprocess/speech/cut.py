"""One file of table `recordings`, read in pieces: its characters counted, its sounds decoded. One Dask task a file."""

from __future__ import annotations

from collections import Counter
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

import polars as pl

from data_contracts.days import days_of
from data_contracts.payloads.sounds import Sounds
from data_contracts.speech.log_mel import log_mel
from data_contracts.speech.promises import PROMISES
from data_contracts.speech.transcribed import normalised
from tasks.preprocess.labels import KNOWN_AT, Due
from tasks.preprocess.language.numbering import Counted
from tasks.preprocess.pieces import Destination, cut, pieces
from tasks.preprocess.plan import OfDay
from tasks.preprocess.speech.config import FeatureConfig
from tasks.preprocess.taken import Taken

RECORDINGS_AT_ONCE = 32
"""Decoded, while they are read: each may be a minute long."""
TEXTS_AT_ONCE = 4_096


class Order(NamedTuple):
    """What becomes of the recordings of one file.

    Attributes:
        due: The file.
        to: Where its examples go.
        features: What they are made to.
    """

    due: Due
    to: Destination
    features: FeatureConfig


def count_characters(due: Due, day_zone: str) -> Counted:
    """Count by day what the recordings of a file say, as far as it is known for this night."""
    counted = Counted({}, {})
    for found in pieces(due, PROMISES, ["recording_id", "text", "spoken_at"], TEXTS_AT_ONCE):
        told = found.rows.drop_nulls(KNOWN_AT).select("text", day=days_of(pl.col(KNOWN_AT), day_zone))
        for day, text in told.select("day", "text").iter_rows():
            said, before = normalised(text), counted.days.get(day, OfDay(0, 0))
            counted.days[day] = OfDay(before.units + 1, before.targets + len(said))
            counted.characters.setdefault(day, Counter()).update(set(said))
    return counted


def cut_file(order: Order) -> Taken:
    """Write the recordings of a file of which it is known what they say; the same file gives the same parts."""
    columns = ["sound", "recording_id", "text", "spoken_at", "speaker_id"]
    found = pieces(order.due, PROMISES, columns, RECORDINGS_AT_ONCE)
    return cut(found, partial(_heard, order=order), order.to)


def _heard(recordings: pl.DataFrame, order: Order) -> pl.DataFrame:
    features, sounds = order.features, Sounds()
    made = [
        log_mel(sounds.decoded(each), rate=features.rate, mels=features.mels).tobytes() for each in recordings["sound"]
    ]
    bytes_of_frame = 2 * features.mels
    return pl.DataFrame(
        {
            "log_mel": made,
            "frames": [len(each) // bytes_of_frame for each in made],
            "text": list(map(normalised, recordings["text"])),
            "known_at": recordings[KNOWN_AT],
            "window": order.to.windows(recordings),
            "speaker_id": recordings["speaker_id"],
            "digest": [_digest(each) for each in made],
        },
        schema_overrides={
            "log_mel": pl.Binary,
            "frames": pl.Int32,
            "text": pl.String,
            "window": pl.String,
            "digest": pl.Int64,
        },
    )


def _digest(frames: bytes) -> int:
    return int.from_bytes(blake2b(frames, digest_size=8).digest(), signed=True)
