"""Parcels, as `models.use_case` asks for it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch

from data_contracts.evidence import Judgement, Metrics
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from models.bootstrap import compare, means
from tests.parcels.models.config import ParcelConfig
from tests.parcels.models.network import RECORD, TENSORS, hours, load, save

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from tests.parcels.models.data import ParcelData
    from tests.parcels.models.module import ParcelModule

METRICS = Metrics(
    primary="mae",
    shown=("mae", "rmse"),
    drawn=("mae",),
    whole=("rmse",),
    lower_is_better=("mae", "rmse"),
    baselines=("median",),
    unit="parcel",
)


class ParcelPredictor:
    """Answers from one bundle."""

    request_schema = pa.schema([pa.field("distance_km", pa.float32(), nullable=False)])
    answer_schema = pa.schema([pa.field("hours", pa.float32(), nullable=False)])

    def __init__(self, folder: Path) -> None:
        self.network = load(folder)

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row."""
        km = requests["distance_km"].to_numpy(zero_copy_only=False).astype(np.float32)
        wrong = np.flatnonzero(~(np.isfinite(km) & (km >= 0)))
        if len(wrong):
            raise ValueError(f"request {wrong[0]}: distance_km is {km[wrong[0]]}, wanted 0 or more.")
        answers = hours(self.network, torch.from_numpy(np.log1p(km))).numpy()
        return pa.table([pa.array(answers, pa.float32())], schema=self.answer_schema)


class Parcels:
    """How many hours a parcel takes."""

    config = ParcelConfig
    metrics = METRICS
    requirements = ()

    def module(self, job: FitJob) -> ParcelModule:
        from tests.parcels.models.module import ParcelModule

        return ParcelModule.of(job)

    def data(self, job: FitJob) -> ParcelData:
        from tests.parcels.models.data import ParcelData

        return ParcelData(job)

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        from tests.parcels.models.module import ParcelModule

        assert isinstance(module, ParcelModule)
        save(module.network, module.config.network, folder)

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """Judge networks, and the median of what was known."""
        from tests.parcels.models.data import read

        judged, known = read(job.tables, (job.window,)), read(job.tables, job.known_windows)
        log_km, wanted = torch.from_numpy(judged[:, 0]), judged[:, 1]
        answers = {name: hours(load(Path(folder)), log_km).numpy() for name, folder in job.contestants.items()}
        answers["median"] = np.full(len(judged), np.median(known[:, 1]))
        by = METRICS.decided_by(job.metric)
        errors = {name: answer - wanted for name, answer in answers.items()}
        absolute = {name: np.abs(error).astype(np.float64) for name, error in errors.items()}
        chosen, ahead = compare(by, means(absolute), len(judged))
        metrics = {
            name: {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
            for name, error in errors.items()
        }
        counts = dict.fromkeys(("units", "targets", "window_units", "window_targets"), len(judged))
        return Judgement(by=by, metrics=metrics, chosen=chosen, ahead=ahead, counts=counts)

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        for name in (TENSORS, RECORD):
            shutil.copyfile(Path(job.checkpoint) / name, folder / name)

    def predictor(self, folder: Path) -> ParcelPredictor:
        return ParcelPredictor(folder)

    def example(self, job: PublishJob) -> Config:
        return {"distance_km": 120.0}

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        return [{"distance_km": float(km)} for km in (0, 1, 10, 100, 1_000)]


USE_CASE = Parcels()
