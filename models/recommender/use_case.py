"""The recommender, as `models.use_case` asks for it. Parts are imported when used: a server needs no Lightning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Judgement
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.recommender.config import RecommenderConfig
from models.recommender.metrics import METRICS

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.recommender.data import RecommenderData
    from models.recommender.module import RecommenderModule
    from models.recommender.predictor import RecommenderPredictor


class Recommender:
    """Next-item recommendation from behaviour logs."""

    config = RecommenderConfig
    metrics = METRICS
    requirements: tuple[str, ...] = ()

    def module(self, job: FitJob) -> RecommenderModule:
        """See `models.recommender.module`."""
        from models.recommender.module import RecommenderModule

        return RecommenderModule.of(job)

    def data(self, job: FitJob) -> RecommenderData:
        """See `models.recommender.data`."""
        from models.recommender.data import RecommenderData

        return RecommenderData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """See `models.recommender.weights`."""
        from models.recommender.module import RecommenderModule
        from models.recommender.weights import save

        if not isinstance(module, RecommenderModule):
            raise TypeError(f"the recommender saves a RecommenderModule, got {type(module).__name__}.")
        save(module.weights(), folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """See `models.recommender.evaluate`."""
        from models.recommender.evaluate import evaluate

        return evaluate(job)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """See `models.recommender.bundle`."""
        from models.recommender.bundle import write_bundle

        write_bundle(job, folder)

    def predictor(self, folder: Path) -> RecommenderPredictor:
        """See `models.recommender.predictor`."""
        from models.recommender.predictor import RecommenderPredictor

        return RecommenderPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        """See `models.recommender.bundle`."""
        from models.recommender.bundle import example

        return example(job)

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """See `models.recommender.bundle`."""
        from models.recommender.bundle import golden_requests

        return golden_requests(folder)


USE_CASE = Recommender()
