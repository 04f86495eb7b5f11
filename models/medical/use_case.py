"""Medical, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.medical.config import MedicalConfig
from models.medical.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.medical.data import MedicalData
    from models.medical.module import MedicalModule
    from models.medical.predictor import MedicalPredictor


class Medical:
    """How likely it is that a picture shows a finding."""

    config = MedicalConfig
    metrics = METRICS
    requirements: tuple[str, ...] = ("pillow",)

    def module(self, job: FitJob) -> MedicalModule:
        """See `models.medical.module`."""
        from models.medical.module import MedicalModule

        return MedicalModule.of(job)

    def data(self, job: FitJob) -> MedicalData:
        """See `models.medical.data`."""
        from models.medical.data import MedicalData

        return MedicalData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.medical.weights`."""
        from models.medical.module import MedicalModule
        from models.medical.weights import save

        if not isinstance(module, MedicalModule):
            raise TypeError(f"medical saves a MedicalModule, got {type(module).__name__}.")
        save(module, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.medical.evaluate`."""
        from models.medical.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.weights`."""
        from models.medical.scorer import CHOSEN
        from models.weights import ship

        ship(Path(job.checkpoint), folder, CHOSEN)

    def predictor(self, folder: Path) -> MedicalPredictor:
        """See `models.medical.predictor`."""
        from models.medical.predictor import MedicalPredictor

        return MedicalPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.vision.bundle`."""
        from models.vision.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.vision.bundle`."""
        from models.vision.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Medical()
