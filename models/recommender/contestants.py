"""Who is judged: networks and baselines, made to rank the same targets.

A contestant reads only items that it knows and may serve; where it has read none, popular items are its answer, as
they are when it serves. Shape letters: B examples, L positions, D width, T targets, N items, K best ones, H hidden.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError

from data_contracts.manifest import DamagedError, verify
from models.recommender.baselines import Markov, Popularity
from models.recommender.layout import PADDING, Batch
from models.recommender.metrics import LIST_LENGTH, Flags, Floats, Numbers
from models.recommender.network import SequenceNetwork
from models.recommender.reading import states_after
from models.recommender.weights import Ready, load
from models.rows.listed import Listed, Pairs, Scored
from models.rows.ranking import Hidden, Targets, ranks_and_best
from models.weights import WeightsError


class ContestantError(Exception):
    """A contestant cannot rank; nobody was judged."""


class Ranked(NamedTuple):
    """Where targets stand.

    Attributes:
        rank_T: Float64, from 0; NaN where a contestant diverged; any number where it does not know the target.
        best: Items in the list of `LIST_LENGTH` best ones of some target, by number, in any order.
    """

    rank_T: Floats
    best: Numbers


class Contestant(Protocol):
    """Ranks the targets of users, each among all items."""

    knows: Flags
    """Items it can recommend, by number, (N + 1,)."""

    def rank(self, batch: Batch) -> Ranked:
        """Rank each target among the items that it knows, but for those hidden, ties at half rank."""
        ...


class Counted:
    """A baseline, which looks at the last item only."""

    def __init__(self, baseline: Popularity | Markov, knows: Flags) -> None:
        self.baseline = baseline
        self.knows = knows
        self._listed = Listed(baseline.listed, knows)

    def rank(self, batch: Batch) -> Ranked:
        """See `Contestant.rank`."""
        _, targets = _read(batch, self.knows)
        hidden = _hidden(batch, np.ones(len(targets), bool))
        return _by_list(self._listed, targets, hidden, self.baseline.followed(targets["previous"].to_numpy()))


class Learned:
    """A network, which looks at the example up to the target.

    Args:
        network: Ready to score; it may know fewer items than the tables.
        popularity: Its answer where it has read nothing.
        servable: Items that may be recommended at all, (N + 1,).
    """

    def __init__(self, network: SequenceNetwork, popularity: Popularity, servable: Flags) -> None:
        self.network = network
        self.knows = servable & (np.arange(len(servable)) <= network.items)
        self._popular = Listed(popularity.listed, self.knows)
        self._allowed_N = torch.from_numpy(self.knows[: network.items + 1])

    def rank(self, batch: Batch) -> Ranked:
        """See `Contestant.rank`."""
        read, targets = _read(batch, self.knows)
        has_read_T = (targets["items_read"] > 0).to_numpy()
        rank_T, bests = np.empty(len(has_read_T)), []
        for rank, chosen_T in ((partial(self._by_network, read), has_read_T), (self._by_count, ~has_read_T)):
            rank_T[chosen_T], best = rank(targets.filter(chosen_T), _hidden(batch, chosen_T))
            bests.append(best)
        return Ranked(rank_T, np.concatenate(bests))

    @torch.inference_mode()
    def _by_network(self, read: pl.DataFrame, targets: pl.DataFrame, hidden: Pairs) -> Ranked:
        """Rank targets before which something was read. Each example is read once, however many targets it has."""
        read_T = targets["items_read"].to_torch()
        longest = int(read_T.max()) if len(read_T) else 1
        met_BL2 = np.zeros((read["row"].n_unique(), longest, 2), np.int64)
        cells = read.filter("known", pl.col("items_read") < longest)
        met_BL2[cells["row"], cells["items_read"]] = cells.select("item", pl.col("time").dt.epoch("s")).to_numpy()
        state_TD = states_after(self.network, torch.from_numpy(met_BL2), targets["row"].to_torch(), read_T)
        item_T = torch.from_numpy(np.where(self.knows[targets["item"]], targets["item"], PADDING))
        rank_T, best = ranks_and_best(
            state_TD,
            Targets(item_T, self.network.item(item_T)),
            self.network.item.blocks(),
            LIST_LENGTH,
            allowed_N=self._allowed_N,
            hidden=Hidden(*map(torch.from_numpy, hidden)),
        )
        return Ranked(rank_T.numpy(), best.number_TK[best.score_TK.isfinite()].numpy())

    def _by_count(self, targets: pl.DataFrame, hidden: Pairs) -> Ranked:
        """Rank targets before which nothing was read, as is done when the model serves."""
        return _by_list(self._popular, targets, hidden, Scored.nothing())


def opened(name: str, folder: Path, *, items: int, max_length: int) -> SequenceNetwork:
    """Load the network of a contestant's weights, or bundle, once it is verified.

    Raises:
        ContestantError: It cannot rank the items of these tables; the message says what to do.
    """
    try:
        verify(folder)
        weights = load(folder)
        _check(weights, items=items, max_length=max_length)
    except (DamagedError, WeightsError, SafetensorError, OSError, ValueError) as error:
        raise ContestantError(
            f"{name!r} cannot rank, so nobody was judged: {error}\nIts weights are in {folder}. What is damaged there "
            "is made or fetched again when the night is started again. A champion of another network loses its place "
            "when its alias is taken off in MLflow."
        ) from error
    return weights.network


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


def _by_list(listed: Listed, targets: pl.DataFrame, hidden: Pairs, scored: Scored) -> Ranked:
    best_TK = listed.best(len(targets), hidden, scored, LIST_LENGTH)
    return Ranked(listed.ranks(targets["item"].to_numpy(), hidden, scored), best_TK[best_TK >= 0])


def _hidden(batch: Batch, chosen_T: Flags) -> Pairs:
    """Return what is hidden for the chosen ones of a batch's targets, which are numbered anew."""
    number_T = chosen_T.cumsum() - 1
    target_H, item_H = (batch.hidden[name].to_numpy().astype(np.int64) for name in ("target", "item"))
    kept_H = chosen_T[target_H]
    return Pairs(number_T[target_H[kept_H]], item_H[kept_H])


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
