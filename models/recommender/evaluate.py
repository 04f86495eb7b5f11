"""Judges contestants on the window that nobody trained on: every item ranked, the same targets for all."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import polars as pl
import torch

from data_contracts.job import EvaluateJob, EvaluateResult
from data_contracts.recommender.items import ITEMS
from data_contracts.table import Table
from models.recommender.baselines import Markov, popularity, transitions
from models.recommender.config import RecommenderConfig
from models.recommender.contestants import Contestant, Counted, learned
from models.recommender.counts import item_counts
from models.recommender.metrics import LIST_LENGTH, Flags, Floats, Numbers, coverage, head_items, rank_metrics, ranks
from models.recommender.targets import Batch, JudgedWindow

SCORES_AT_ONCE = 2**24
"""Numbers in one matrix of scores, targets x items: at most 128 MiB; two or three such matrices live at a time."""

TARGETS_AT_ONCE = 2_048
"""Targets ranked together, at most, however few the items: so many examples may pass through a network at once."""

logger = logging.getLogger(__name__)


def evaluate(job: EvaluateJob) -> EvaluateResult:
    """Rank every servable item for every target of ``job.window``, by every contestant and by two baselines.

    Returns:
        Metrics by contestant, ``popularity`` and ``markov``: `metrics.rank_metrics` of all targets, of ``new_users``
        and of ``tail_items``, and ``coverage@10``; nothing where no target was left to judge. Counts: ``users``,
        ``new_users``, ``targets`` judged; ``repeats_dropped``; ``window_users``, ``window_targets`` before anything
        was dropped; ``servable_items``; ``unknown_targets.<contestant>``, misses, because it may not recommend them.

    Raises:
        ContestantError: A contestant cannot rank the items of these tables.
        FileNotFoundError: A table, or its version, is not there.
    """
    config = RecommenderConfig.model_validate(job.config)
    items = Table(job.tables.folder, ITEMS).dataset(job.tables.versions[ITEMS.name]).count_rows()
    known = item_counts(job.tables, job.known_windows)
    counts = np.pad(known, (0, items + 1 - len(known)))
    servable = counts >= config.min_item_count
    servable[0] = False
    standings = {name: Standing(contestant) for name, contestant in _contestants(job, config, counts, servable).items()}
    window = JudgedWindow(job, config)
    judged = [pl.DataFrame(schema={"user": pl.UInt32, "item": pl.Int32, "is_new": pl.Boolean})]
    for batch in window.batches(min(TARGETS_AT_ONCE, SCORES_AT_ONCE // (items + 1) + 1)):
        for standing in standings.values():
            standing.add(batch)
        judged.append(batch.targets.select("user", "item", "is_new"))
    targets = pl.concat(judged)
    item = targets["item"].to_numpy()
    slices = {"new_users": targets["is_new"].to_numpy(), "tail_items": ~head_items(counts)[item]}
    unknown = {
        f"unknown_targets.{name}": int((~standing.contestant.knows[item]).sum()) for name, standing in standings.items()
    }
    return EvaluateResult(
        metrics={name: standing.metrics(targets["user"], slices, servable) for name, standing in standings.items()},
        counts={**window.counts, "servable_items": int(servable.sum()), **unknown},
    )


class Standing:
    """How one contestant does, target by target."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self._knows = torch.from_numpy(contestant.knows)
        self._recommended = torch.zeros(len(contestant.knows), dtype=torch.bool)
        self._ranks: list[Floats] = []

    @torch.inference_mode()
    def add(self, batch: Batch) -> None:
        """Let the contestant rank a batch of targets."""
        scores_TN = self.contestant.scores(batch)
        diverged_T = scores_TN.sum(dim=1).isnan()
        scores_TN.masked_fill_(~self._knows, -torch.inf)
        scores_TN[batch.hidden["target"].to_torch().long(), batch.hidden["item"].to_torch().long()] = -torch.inf
        item_T = batch.targets["item"].to_torch().long()
        rank_T = torch.from_numpy(ranks(scores_TN.numpy(), item_T.numpy())).masked_fill_(diverged_T, torch.nan)
        self._ranks.append(rank_T.masked_fill_(~self._knows[item_T], torch.inf).numpy())
        best = scores_TN.topk(min(LIST_LENGTH, scores_TN.shape[1]))
        self._recommended[best.indices[best.values.isfinite()]] = True

    def metrics(self, user: pl.Series, slices: dict[str, Flags], servable: Flags) -> dict[str, float]:
        """Average over everything added; ``user`` and ``slices`` are in the order in which it was."""
        if not len(user):
            return {}
        share = coverage(self._recommended.numpy(), servable)
        return rank_metrics(np.concatenate(self._ranks), user.to_numpy().astype(np.int64), slices) | {
            f"coverage@{LIST_LENGTH}": share
        }


def _contestants(
    job: EvaluateJob, config: RecommenderConfig, counts: Numbers, servable: Flags
) -> dict[str, Contestant]:
    max_length = job.features["max_length"]
    assert isinstance(max_length, int)
    popular = popularity(job, counts)
    contestants: dict[str, Contestant] = {
        name: learned(name, Path(folder), popular, servable, max_length) for name, folder in job.contestants.items()
    }
    contestants["popularity"] = Counted(popular, servable)
    contestants["markov"] = Counted(Markov(transitions(job, config.target_events), popular), servable)
    logger.info("window %s: %s contestants, %s items to rank", job.window, len(contestants), f"{servable.sum():,}")
    return contestants
