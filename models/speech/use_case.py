"""Speech, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.speech.config import SpeechConfig
from models.speech.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.speech.data import SpeechData
    from models.speech.module import SpeechModule
    from models.speech.predictor import SpeechPredictor


class Speech:
    """What is said in a recording, and when."""

    config = SpeechConfig
    metrics = METRICS
    requirements: tuple[str, ...] = ("flashlight-text", "rapidfuzz", "soundfile", "soxr")

    def module(self, job: FitJob) -> SpeechModule:
        """See `models.speech.module`."""
        from models.speech.module import SpeechModule

        return SpeechModule.of(job)

    def data(self, job: FitJob) -> SpeechData:
        """See `models.speech.data`."""
        from models.speech.data import SpeechData

        return SpeechData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.speech.weights`."""
        from models.speech.module import SpeechModule
        from models.speech.weights import save

        if not isinstance(module, SpeechModule):
            raise TypeError(f"speech saves a SpeechModule, got {type(module).__name__}.")
        save(module.weights, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.speech.evaluate`."""
        from models.speech.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.weights`."""
        from models.weights import ship

        ship(Path(job.checkpoint), folder)

    def predictor(self, folder: Path) -> SpeechPredictor:
        """See `models.speech.predictor`."""
        from models.speech.predictor import SpeechPredictor

        return SpeechPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.speech.bundle`."""
        from models.speech.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.speech.bundle`."""
        from models.speech.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Speech()
