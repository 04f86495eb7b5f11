"""Judges contestants on the window that nobody trained on: every item ranked, the same targets for all."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.evidence import Judgement
from data_contracts.job import EvaluateJob
from data_contracts.recommender.items import ITEMS
from data_contracts.table import Table
from models.bootstrap import compare, means
from models.recommender.baselines import Markov, popularity, transitions
from models.recommender.config import RecommenderConfig
from models.recommender.contestants import Contestant, Counted, Learned, opened
from models.recommender.counts import Numbers, item_counts
from models.recommender.metrics import METRICS, Flags, head_items
from models.recommender.network import SequenceNetwork
from models.recommender.standing import Standing
from models.recommender.targets import JudgedWindow
from models.slices import sliced

TARGETS_AT_ONCE = 512
"""Targets ranked together, and the rest of their example (at most L): each has some KiB of what is hidden, and
a line for each item that ever followed its last one, some MiB of it where that is among the most popular.

Neither how many items there are nor L bounds it: scores are taken by `models.rows` and read histories by
`reading.states_after`, both a bounded number at once.
"""

MANY = 0.5
"""Share of a window's targets that share their user's moment, from which on people are told what that means."""

logger = logging.getLogger(__name__)


def evaluate(job: EvaluateJob) -> Judgement:
    """Rank every servable item for every target of ``job.window``, by every contestant and by two baselines.

    Twice, where windows have days: with every event up to the moment before each target, which decides, and with
    histories as of the window's start, which is what is served between two nights.

    Returns:
        Metrics by contestant, ``popularity`` and ``markov``: `metrics.rank_metrics` of all targets, and
        ``coverage@10``; both once more as ``<metric>.nightly``, with histories as of the window's start; nothing where
        no target was left to judge. Slices: ``new_users`` and ``tail_items``. Counts: ``units``, which are users, and
        ``targets`` judged; ``repeats_dropped``; ``window_units``, ``window_targets`` before anything was dropped;
        ``shared_moments``, those of them that share their user's moment with another event; ``servable_items``;
        ``unknown_targets.<contestant>``, misses, because it may not recommend them.

    Raises:
        ContestantError: A contestant cannot rank the items of these tables.
        FileNotFoundError: A table, or its version, is not there.
    """
    config = RecommenderConfig.model_validate(job.config)
    items = Table(job.tables.folder, ITEMS).dataset(job.tables.versions[ITEMS.name]).count_rows()
    networks = _networks(job, items)
    known = item_counts(job.tables, job.known_windows)
    counts = np.pad(known, (0, items + 1 - len(known)))
    servable = counts >= config.min_item_count
    servable[0] = False
    contestants = _contestants(job, config, networks, counts, servable)
    standings = {name: Standing(contestant) for name, contestant in contestants.items()}
    window = JudgedWindow(job, config)
    judged = [pl.DataFrame(schema={"user": pl.UInt32, "item": pl.Int32, "is_new": pl.Boolean})]
    for batch in window.batches(TARGETS_AT_ONCE):
        for standing in standings.values():
            standing.add(batch)
        judged.append(batch.live.targets.select("user", "item", "is_new"))
    targets = pl.concat(judged)
    item = targets["item"].to_numpy()
    parts = {"new_users": targets["is_new"].to_numpy(), "tail_items": ~head_items(counts)[item]}
    unknown = {
        f"unknown_targets.{name}": int((~contestant.knows[item]).sum()) for name, contestant in contestants.items()
    }
    by = METRICS.decided_by(job.metric)
    of_users = {name: standing.of_users(targets["user"], by.primary) for name, standing in standings.items()}
    chosen, ahead = compare(by, means(of_users), window.counts["units"])
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        remarks=remarks(job, window.counts),
        metrics={name: standing.metrics(targets["user"], servable) for name, standing in standings.items()},
        slices=sliced(
            parts,
            {name: partial(standing.of_targets, targets["user"]) for name, standing in standings.items()},
            units=lambda chosen: targets["user"].filter(chosen).n_unique(),
        ),
        counts={**window.counts, "servable_items": int(servable.sum()), **unknown},
    )


def remarks(job: EvaluateJob, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Say how to read the metrics."""
    said = []
    if job.first_day is not None:
        said.append(
            "Metrics are with every event up to the moment before each target, and by these the gate decides; nightly "
            "ones are with histories as of the window's start: so a user id is answered between two nights."
        )
    share = counts["shared_moments"] / max(counts["window_targets"], 1)
    if share > MANY:
        said.append(
            f"{share:.0%} of the window's targets share their user's moment with another event: in what order these "
            "came the logs do not tell, and it is drawn by a hash."
        )
    return tuple(said)


def _networks(job: EvaluateJob, items: int) -> dict[str, SequenceNetwork]:
    """Open what is judged first: it takes most memory while it is read, and whoever cannot rank ends the judging."""
    max_length = job.features["max_length"]
    assert isinstance(max_length, int)
    return {
        name: opened(name, Path(folder), items=items, max_length=max_length) for name, folder in job.contestants.items()
    }


def _contestants(
    job: EvaluateJob,
    config: RecommenderConfig,
    networks: Mapping[str, SequenceNetwork],
    counts: Numbers,
    servable: Flags,
) -> dict[str, Contestant]:
    popular = popularity(job, config, counts)
    contestants: dict[str, Contestant] = {
        name: Learned(network, popular, servable) for name, network in networks.items()
    }
    contestants["popularity"] = Counted(popular, servable)
    contestants["markov"] = Counted(Markov(transitions(job, config), popular), servable)
    logger.info("window %s: %s contestants, %s items to rank", job.window, len(contestants), f"{servable.sum():,}")
    return contestants
