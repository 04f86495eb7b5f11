"""RecTools' SASRec on the same events: ``python peer.py told.json``, in an environment of its own.

Imports nothing of this project. What RecTools has no setting for stays as it is there: see `benchmarks.train`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Steps(Callback):
    """Notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: object, **__: object) -> None:
        """Look at the clock."""
        self.ends.append(time.perf_counter())


def events(file: str) -> pd.DataFrame:
    """Read items, (users, events), and return a row for each event."""
    item_UE = np.load(file)
    users, count = item_UE.shape
    minute = pd.to_timedelta(np.tile(np.arange(count), users), unit="min")
    return pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(users), count),
            Columns.Item: item_UE.ravel(),
            Columns.Datetime: pd.Timestamp("2026-11-01") + minute,
            Columns.Weight: 1.0,
        }
    )


def train(told: dict[str, Any]) -> list[float]:
    """Train for one epoch on one thread, with RecTools' own trainer beside the clock, and return the ends of steps."""
    torch.set_num_threads(1)
    seed_everything(0)
    model = SASRecModel(
        **told["model"],
        get_trainer_func=lambda: Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            callbacks=[Steps()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ),
    )
    model.fit(Dataset.construct(events(told["events"])))
    own = (each for each in model.fit_trainer.callbacks if isinstance(each, Steps))  # RecTools trains with a copy
    return next(own).ends


if __name__ == "__main__":
    path = Path(sys.argv[1])
    found = {"steps": train(json.loads(path.read_text(encoding="utf-8")))}
    path.with_name("result.json").write_text(json.dumps(found), encoding="utf-8")
