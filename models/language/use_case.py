"""Language, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.language.config import LanguageConfig
from models.language.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.language.data import LanguageData
    from models.language.module import LanguageModule
    from models.language.predictor import LanguagePredictor


class Language:
    """How texts go on, and how likely they are."""

    config = LanguageConfig
    metrics = METRICS
    requirements: tuple[str, ...] = ("rapidfuzz", "tokenizers")

    def module(self, job: FitJob) -> LanguageModule:
        """See `models.language.module`."""
        from models.language.module import LanguageModule

        return LanguageModule.of(job)

    def data(self, job: FitJob) -> LanguageData:
        """See `models.language.data`."""
        from models.language.data import LanguageData

        return LanguageData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.language.weights`."""
        from models.language.module import LanguageModule
        from models.language.weights import save

        if not isinstance(module, LanguageModule):
            raise TypeError(f"language saves a LanguageModule, got {type(module).__name__}.")
        save(module.weights, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.language.evaluate`."""
        from models.language.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.weights`."""
        from models.weights import ship

        ship(Path(job.checkpoint), folder)

    def predictor(self, folder: Path) -> LanguagePredictor:
        """See `models.language.predictor`."""
        from models.language.predictor import LanguagePredictor

        return LanguagePredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.language.bundle`."""
        from models.language.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.language.bundle`."""
        from models.language.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Language()
