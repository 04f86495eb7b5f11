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
from rectools.fast_transformers import FlatSASRecNet, SequenceBatchDataset, build_sequences
from rectools.models import SASRecModel
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader


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
    """Train for one epoch with RecTools' own trainer beside the clock, and return the ends of steps."""
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


def train_flat(told: dict[str, Any]) -> list[float]:
    """Train RecTools' flat network for one epoch, and return the ends of steps; it has no trainer: a loop of our own.

    Negatives are drawn as its flat UniSRec draws them, uniformly and anew for every position; one that is the target
    stays.

    Raises:
        FloatingPointError: The loss is no number.
    """
    model, item_UE = told["model"], torch.from_numpy(np.load(told["events"])).long()
    users, count = item_UE.shape
    user_V, minute_V = torch.arange(users).repeat_interleave(count), torch.arange(count).repeat(users)
    x, y, items, _ = build_sequences(user_V, item_UE.flatten(), minute_V, model["session_max_len"])
    network = ("n_factors", "n_blocks", "n_heads", "session_max_len")
    net = FlatSASRecNet(len(items), **{name: model[name] for name in network}, dropout=model["dropout_rate"])
    optimizer = torch.optim.Adam(net.parameters(), model["lr"])
    ends: list[float] = []
    for batch in DataLoader(SequenceBatchDataset(x, y), model["batch_size"], shuffle=True):
        target = batch["y"]
        is_target = target != net.PADDING_IDX
        if model["loss"] == "sampled_softmax":
            batch["negatives"] = torch.randint(1, len(items) + 1, (*target.shape, model["n_negatives"]))
            target = torch.ones_like(target)  # the first of those that are compared
        loss = cross_entropy(net(batch)[is_target], target[is_target] - 1)
        if not loss.isfinite():
            raise FloatingPointError(f"step {len(ends)}: the loss is {loss.item()}")
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        ends.append(time.perf_counter())
    return ends


if __name__ == "__main__":
    path = Path(sys.argv[1])
    asked = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    seed_everything(0)
    found = {"steps": train_flat(asked) if asked["flat"] else train(asked)}
    path.with_name("result.json").write_text(json.dumps(found), encoding="utf-8")
