from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.check import check
from data_contracts.contract import LATE, DataContract, Limits
from data_contracts.speech.recordings import RECORDINGS
from data_contracts.speech.transcripts import TRANSCRIPTS
from data_contracts.staging import staging
from tests.data_contracts.payloads.made_up import encoded, tone
from tests.data_contracts.speech.made_up import spoken

Cases = dict[str, tuple[dict[str, Any], str | None]]
HOUR = encoded(np.zeros((3_600 * 8_000, 1), np.float32), "FLAC", rate=8_000)
LIMITS = Limits(
    first_day=date(2000, 1, 1), earliest=date(2026, 11, 19), latest=date(2026, 11, 22), allowed={}, max_id_bytes=8
)
WAV, NOON = spoken("ab cd"), datetime(2026, 11, 22, 12, tzinfo=UTC)
STAGED: dict[str, Any] = {"source_file": "f", "source_row": 0, "problem": None, "original": None}
RECORDING = {**STAGED, "sound": WAV, "text": "ab cd", "spoken_at": NOON}
TRANSCRIPT = {**STAGED, "recording_id": "r1", "text": "ab cd", "transcribed_at": NOON}
OF_TEXTS: Cases = {
    "another script": ({"text": "\u4f60\u597d"}, None),
    "blank": ({"text": " \n"}, "text is blank"),
    "nothing is said": ({"text": "..."}, "text without a letter or a number"),
    "an accent alone": ({"text": "\u00b4"}, "text without a letter or a number"),
    "too much is said": ({"text": "a" * 2_001}, "text of more than 2,000 characters"),
    "controls": ({"text": "a\x07b"}, "text of more than 0 control characters"),
}
OF_RECORDINGS: Cases = {
    "as it should be": ({}, None),
    "known by its id and speaker": ({"recording_id": "r1", "speaker_id": "s1"}, None),
    "nobody wrote it down": ({"text": None}, None),
    "of another rate, in stereo": ({"sound": encoded(tone(rate=44_100, channels=2), rate=44_100)}, None),
    "missing": ({"sound": None}, "sound missing"),
    "no sound": ({"sound": b"ID3 of an MP3"}, "sound is no WAV or FLAC"),
    "cut short": ({"sound": WAV[:-99]}, "sound cut short or not decodable"),
    "silent": ({"sound": encoded(np.zeros((8_000, 1), np.float32))}, "sound is silent"),
    "an hour": ({"sound": HOUR}, "sound longer than 60 s"),
    "a click": ({"sound": encoded(tone(0.09))}, "sound shorter than 0.1 s"),
    "of six channels": ({"sound": encoded(tone(channels=6))}, "sound of more than 2 channels"),
    "an id that is too long": ({"recording_id": "a" * 9}, "recording_id too long"),
    "a speaker that is too long": ({"speaker_id": "\u00e4" * 5}, "speaker_id too long"),
    "no time": ({"spoken_at": None}, "spoken_at missing"),
    "tomorrow": ({"spoken_at": datetime(2026, 11, 23, tzinfo=UTC)}, "spoken_at in the future"),
    "late": ({"spoken_at": datetime(2026, 11, 18, tzinfo=UTC)}, LATE),
    **OF_TEXTS,
}
OF_TRANSCRIPTS: Cases = {
    "as it should be": ({}, None),
    "of no recording": ({"recording_id": None}, "recording_id missing"),
    "an id that is too long": ({"recording_id": "a" * 9}, "recording_id too long"),
    "no text": ({"text": None}, "text missing"),
    "tomorrow": ({"transcribed_at": datetime(2026, 11, 23, tzinfo=UTC)}, "transcribed_at in the future"),
    **OF_TEXTS,
}


def broken(of: DataContract, good: dict[str, Any], cases: Cases) -> dict[str, Any]:
    contract = staging(of)
    rules = contract.row_rules(LIMITS)
    rows = contract.conform(pa.Table.from_pylist([good | changes for changes, _ in cases.values()], contract.schema))
    found = check(contract.checked(rows), rules).first_broken
    return {case: None if first < 0 else rules[first].name for case, first in zip(cases, found, strict=True)}


def test_each_rule_of_a_recording_is_broken_by_what_it_is_about() -> None:
    assert broken(RECORDINGS, RECORDING, OF_RECORDINGS) == {case: rule for case, (_, rule) in OF_RECORDINGS.items()}


def test_each_rule_of_a_transcript_is_broken_by_what_it_is_about() -> None:
    found = broken(TRANSCRIPTS, TRANSCRIPT, OF_TRANSCRIPTS)
    assert found == {case: rule for case, (_, rule) in OF_TRANSCRIPTS.items()}
