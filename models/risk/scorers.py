"""What gives log-odds of bad, network or trees: one way to load, ask and ship either."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from models.risk.network import PARTIES, WideAndDeep
from models.risk.rows import INPUTS, Floats
from models.risk.weights import RECORD, TREES, load, tensor_files
from models.weights import WeightsError

ROWS_AT_ONCE = 65_536
"""Transactions, or variants of some, that pass through a network together."""


class Scorer(Protocol):
    """Scores transactions. Read-only once made. Shape letters: B rows, F features.

    Inputs may have more of a transaction's own numbers than it has learned from; it does not look at those.
    """

    @property
    def numbers(self) -> int:
        """How many of a transaction's own numbers it has learned from."""
        ...

    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """Return log-odds of bad, (B,), for inputs (B, 2 + F), see `models.risk.rows.as_floats`."""
        ...

    def moved_by(self, inputs: Floats) -> NDArray[np.float64]:
        """Say by how much each input moved the log-odds, (B, 2 + F); to what is usual, the answer is moved by none."""
        ...


class Network:
    """A network that answers."""

    def __init__(self, network: WideAndDeep) -> None:
        self.network = network

    @property
    def numbers(self) -> int:
        """See `Scorer.numbers`."""
        return self.network.first.numbers

    @torch.inference_mode()
    def log_odds(self, inputs: Floats) -> NDArray[np.float64]:
        """See `Scorer.log_odds`."""
        starts, seen = range(0, max(len(inputs), 1), ROWS_AT_ONCE), inputs[:, : len(INPUTS) + self.numbers]
        pieces = [self.network(torch.from_numpy(seen[start : start + ROWS_AT_ONCE])) for start in starts]
        found: NDArray[np.float64] = torch.cat(pieces).double().numpy()
        return found

    def moved_by(self, inputs: Floats) -> NDArray[np.float64]:
        """See `Scorer.moved_by`: by how much less it would be, were that one input what it is on average."""
        usual = np.concatenate([np.zeros(PARTIES, np.float32), self.network.first.mean_F.numpy()])
        rows, width = len(inputs), len(usual)
        variants = np.repeat(inputs[:, None, :width], width, axis=1)
        variants[:, np.arange(width), np.arange(width)] = usual
        without = self.log_odds(variants.reshape(rows * width, width)).reshape(rows, width)
        moved: NDArray[np.float64] = self.log_odds(inputs)[:, None] - without
        return moved


def open_scorer(folder: Path) -> Scorer:
    """Load weights or a bundle, of either kind.

    Raises:
        BundleFormatError: It is of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds neither.
        WeightsError: It is of no kind that is known here, or does not fit this code.
    """
    kind = _kind(folder)
    if kind == "network":
        return Network(load(folder))
    from models.risk.boosting import Boosting  # LightGBM takes seconds to import

    return Boosting.load(folder)


def ship(source: Path, folder: Path) -> None:
    """Copy what answering needs of either kind.

    Raises:
        WeightsError: It is of no kind that is known here.
    """
    files = (TREES, RECORD) if _kind(source) == "boosting" else (*tensor_files(source), RECORD)
    for name in files:
        shutil.copyfile(source / name, folder / name)


def _kind(folder: Path) -> str:
    kind = json.loads((folder / RECORD).read_text(encoding="utf-8")).get("kind")
    if kind not in {"network", "boosting"}:
        raise WeightsError(f"{folder / RECORD} is of kind {kind!r}, wanted 'network' or 'boosting'.")
    return str(kind)
