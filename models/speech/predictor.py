"""Answers requests: a recording in, what is said in it out, and when."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from data_contracts.contract import SchemaMismatchError
from data_contracts.payloads.sounds import SoundError, SoundLimits, Sounds
from data_contracts.speech.log_mel import FRAMES_A_SECOND, Frames, log_mel
from data_contracts.speech.requests import ANSWERS, MAX_SECONDS, MAX_SECONDS_TOGETHER, REQUESTS
from models.speech.hearing import Listener
from models.speech.weights import load


class SpeechPredictor:
    """See `models.use_case.Predictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle is not there.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema

    def __init__(self, folder: Path) -> None:
        ready = load(folder)
        self._rate, self._mels = ready.record.rate, ready.record.mels
        self._listener = Listener(ready)
        self._sounds = Sounds(SoundLimits(seconds=(0.05, MAX_SECONDS)))

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row: `data_contracts.speech.requests` says what with.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        answers = []
        for heard in self._listener.heard(self._decoded(requests)):
            if heard is None:
                raise FloatingPointError("the network gives no number")
            answers.append(
                {
                    "text": heard.text,
                    "words": [word.text for word in heard.words],
                    "begins": [word.start_s for word in heard.words],
                    "ends": [word.end_s for word in heard.words],
                }
            )
        return pa.Table.from_pylist(answers, schema=self.answer_schema)

    def _decoded(self, requests: pa.Table) -> list[Frames]:
        """Return the frames of every request, or say all that is wrong with them."""
        try:
            sounds = REQUESTS.conform(requests)["sound"]
        except SchemaMismatchError as error:
            raise ValueError(str(error)) from error
        made: list[Frames] = []
        problems: list[str] = []
        for row, sound in enumerate(sounds):
            if sum(map(len, made)) > MAX_SECONDS_TOGETHER * FRAMES_A_SECOND:
                seconds = f"{MAX_SECONDS_TOGETHER:g} s"
                problems.append(f"requests 0 to {row - 1} are more than {seconds} together: send fewer")
                break
            try:
                made.append(log_mel(self._sounds.decoded(sound.as_py()), rate=self._rate, mels=self._mels))
            except SoundError as error:
                problems.append(f"request {row}: {error}, wanted a whole WAV or FLAC of {MAX_SECONDS:g} s at most")
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return made
