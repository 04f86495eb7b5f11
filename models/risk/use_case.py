"""Risks, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.risk.config import RiskConfig
from models.risk.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.risk.data import RiskData
    from models.risk.module import RiskModule
    from models.risk.predictor import RiskPredictor


class Risk:
    """Whether a transaction between two parties will go bad."""

    config = RiskConfig
    metrics = METRICS
    requirements = ("lightgbm",)

    def module(self, job: FitJob) -> RiskModule:
        """See `models.risk.module`."""
        from models.risk.module import RiskModule

        return RiskModule.of(job)

    def data(self, job: FitJob) -> RiskData:
        """See `models.risk.data`."""
        from models.risk.data import RiskData

        return RiskData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.risk.weights`."""
        from models.risk.module import RiskModule
        from models.risk.weights import save

        if not isinstance(module, RiskModule):
            raise TypeError(f"risk saves a RiskModule, got {type(module).__name__}.")
        save(module.network, module.config, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.risk.evaluate`."""
        from models.risk.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.risk.bundle`."""
        from models.risk.bundle import write_bundle

        write_bundle(job, folder)

    def predictor(self, folder: Path) -> RiskPredictor:
        """See `models.risk.predictor`."""
        from models.risk.predictor import RiskPredictor

        return RiskPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.risk.bundle`."""
        from models.risk.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.risk.bundle`."""
        from models.risk.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Risk()
