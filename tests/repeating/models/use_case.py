"""Says a text again and again, for ever where nobody says how often: what a stream may do, and no model may."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pyarrow as pa

from data_contracts.job import Config, PublishJob

logger = logging.getLogger(__name__)


class RepeatingPredictor:
    """Answers from an empty bundle."""

    request_schema = pa.schema(
        [
            pa.field("text", pa.string(), nullable=False),
            pa.field("times", pa.int32()),
            pa.field("fails_after", pa.int32()),
            pa.field("waits_for", pa.string(), metadata={"unit": "a file, before the second time"}),
            pa.field("marks", pa.list_(pa.string())),
        ]
    )
    answer_schema = pa.schema([pa.field("said", pa.string(), nullable=False)])
    piece_schema = answer_schema

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row."""
        asked = requests.to_pylist()
        if any(each["times"] is None for each in asked):
            raise ValueError("times is missing, and for ever is no answer in one piece.")
        return pa.table([["".join(map(str, self._said(**each))) for each in asked]], schema=self.answer_schema)

    def stream(self, request: pa.Table) -> Generator[pa.Table, None, None]:
        """Answer one row in pieces."""
        (asked,) = request.to_pylist()
        if asked["text"] is None:
            raise ValueError("text is missing.")
        try:
            for text in self._said(**asked):
                yield pa.table([[text]], schema=self.piece_schema)
        finally:
            logger.info("%.9s is said no more", asked["text"])

    def _said(
        self, text: str, times: int | None, fails_after: int | None, waits_for: str | None, marks: list[str] | None
    ) -> Generator[str, None, None]:
        for number in count() if times is None else range(times):
            while number == 1 and waits_for and not Path(waits_for).exists():
                time.sleep(0.01)
            if number == fails_after:
                raise RuntimeError("it fails, as it was told")
            yield text + "".join(marks or [])


class Repeating:
    """The parts that publishing and serving ask for."""

    requirements = ()

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """Write nothing."""

    def predictor(self, folder: Path) -> RepeatingPredictor:
        return RepeatingPredictor()

    def example(self, job: PublishJob) -> Config:
        return {"text": "tick ", "times": 3}

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        return [{"text": "tick ", "times": 3}]


USE_CASE = Repeating()
