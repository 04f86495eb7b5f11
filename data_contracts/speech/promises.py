"""What speech promises about its tables, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.language.symbols import SYMBOLS
from data_contracts.promises import Labels, Promises
from data_contracts.speech.examples import EXAMPLES
from data_contracts.speech.recordings import RECORDINGS
from data_contracts.speech.transcripts import TRANSCRIPTS

LATER = Labels(TRANSCRIPTS, key=("recording_id",))
"""Transcripts that come by themselves."""

PROMISES = Promises(truth=RECORDINGS, labels=LATER, made=(SYMBOLS, EXAMPLES), subject="speaker_id")
