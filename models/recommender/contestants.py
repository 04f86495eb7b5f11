"""Who is judged: networks and baselines, made to score the same targets.

A contestant reads only items that it knows and may serve; where it has read none, popular items are its answer, as
they are when it serves. Shape letters: B examples, L positions, D width, T targets, N items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import pad

from data_contracts.manifest import DamagedError, verify
from models.recommender.baselines import Markov, Popularity
from models.recommender.layout import Batch
from models.recommender.network import SasRec
from models.recommender.weights import Ready, load
from models.weights import WeightsError

Flags = NDArray[np.bool_]


class ContestantError(Exception):
    """A contestant cannot rank; nobody was judged."""


class Contestant(Protocol):
    """Scores items as the next of each target's user."""

    knows: Flags
    """Items it can recommend, by number, (N + 1,)."""

    def scores(self, batch: Batch) -> Tensor:
        """Return float (T, N + 1), the higher the sooner recommended; what it does not know has any score."""
        ...


class Counted:
    """A baseline, which looks at the last item only."""

    def __init__(self, baseline: Popularity | Markov, knows: Flags) -> None:
        self.baseline = baseline
        self.knows = knows

    def scores(self, batch: Batch) -> Tensor:
        """See `Contestant.scores`."""
        _, targets = _read(batch, self.knows)
        return torch.from_numpy(self.baseline.scores(targets["previous"].to_numpy()))


class Learned:
    """A network, which looks at the example up to the target.

    Args:
        network: Ready to score; it may know fewer items than the tables.
        popularity: Its answer where it has read nothing.
        servable: Items that may be recommended at all, (N + 1,).
    """

    def __init__(self, network: SasRec, popularity: Popularity, servable: Flags) -> None:
        self.network = network
        self.popularity = popularity
        self.knows = servable & (np.arange(len(servable)) <= network.items)

    @torch.inference_mode()
    def scores(self, batch: Batch) -> Tensor:
        """See `Contestant.scores`. Each example is read once, however many targets it has."""
        read, targets = _read(batch, self.knows)
        read_T = targets["items_read"].to_torch()
        item_BL = np.zeros((batch.events["example"].n_unique(), max(int(read_T.max()), 1)), np.int64)
        cells = read.filter("known", pl.col("items_read") < item_BL.shape[1])
        item_BL[cells["row"], cells["items_read"]] = cells["item"]
        state_BLD = self.network(torch.from_numpy(item_BL))
        state_TD = state_BLD[targets["row"].to_torch(), (read_T - 1).clamp(min=0)]
        scores = pad(self.network.head.logits(state_TD), (0, len(self.knows) - self.network.items - 1))
        popular = self.popularity.scores(targets.filter(pl.col("items_read") == 0)["item"].to_numpy())
        scores[read_T == 0] = torch.from_numpy(popular).float()
        return scores


def learned(name: str, folder: Path, popularity: Popularity, servable: Flags, max_length: int) -> Learned:
    """Load a contestant's weights, or bundle, once it is verified.

    Raises:
        ContestantError: It cannot rank the items of these tables; the message says what to do.
    """
    try:
        verify(folder)
        weights = load(folder)
        _check(weights, items=len(servable) - 1, max_length=max_length)
    except (DamagedError, WeightsError, SafetensorError, OSError, ValueError) as error:
        raise ContestantError(
            f"{name!r} cannot rank, so nobody was judged: {error}\nIts weights are in {folder}. What is damaged there "
            "is made or fetched again when the night is started again. A champion of another network loses its place "
            "when its alias is taken off in MLflow."
        ) from error
    return Learned(weights.network, popularity, servable)


def _check(weights: Ready, *, items: int, max_length: int) -> None:
    network = weights.network
    problems = []
    if network.items > items:
        problems.append(f"it knows {network.items:,} items, the tables have {items:,}")
    if network.max_length < max_length:
        problems.append(
            f"it reads {network.max_length:,} events, the examples hold {max_length:,} (features.max_length)"
        )
    if problems:
        raise WeightsError(f"it was trained on other tables: {'; '.join(problems)}.")


def _read(batch: Batch, knows: Flags) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Say what a contestant has read before each event and each target.

    Returns:
        The events, and the targets in order, both with ``row`` (of the example, from 0), ``items_read`` (known items
        before it in the example) and ``previous`` (the last of them, 0 if none).
    """
    known = pl.Series("known", knows[batch.events["item"].to_numpy()])
    last = pl.when("known").then("item").forward_fill().shift().over("example").fill_null(0)
    read = batch.events.with_columns(known, row=pl.col("example").rle_id().cast(pl.Int64)).with_columns(
        items_read=pl.col("known").cast(pl.Int64).cum_sum().over("example") - pl.col("known"), previous=last
    )
    places = read.select("place", "row", "items_read", "previous")
    return read, batch.targets.join(places, on="place", how="left", maintain_order="left")
