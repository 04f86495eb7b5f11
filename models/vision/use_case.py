"""Vision, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.vision.config import VisionConfig
from models.vision.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.vision.data import VisionData
    from models.vision.module import VisionModule
    from models.vision.predictor import VisionPredictor


class Vision:
    """Which of some classes an image shows."""

    config = VisionConfig
    metrics = METRICS
    requirements: tuple[str, ...] = ("pillow",)

    def module(self, job: FitJob) -> VisionModule:
        """See `models.vision.module`."""
        from models.vision.module import VisionModule

        return VisionModule.of(job)

    def data(self, job: FitJob) -> VisionData:
        """See `models.vision.data`."""
        from models.vision.data import VisionData

        return VisionData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.vision.weights`."""
        from models.vision.module import VisionModule
        from models.vision.weights import save

        if not isinstance(module, VisionModule):
            raise TypeError(f"vision saves a VisionModule, got {type(module).__name__}.")
        save(module.weights, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.vision.evaluate`."""
        from models.vision.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.weights`."""
        from models.weights import ship

        ship(Path(job.checkpoint), folder)

    def predictor(self, folder: Path) -> VisionPredictor:
        """See `models.vision.predictor`."""
        from models.vision.predictor import VisionPredictor

        return VisionPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.vision.bundle`."""
        from models.vision.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.vision.bundle`."""
        from models.vision.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Vision()
