"""What a recommender is shipped with: its weights, and which items they stand for.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`model.safetensors`     weights, and what is to be known of them (`models.recommender.weights`)
`rows-*.safetensors`
`model.json`
`training.json`
`items.parquet`         item_id, item_index (1…N), count (`counts.popular_lately`), servable
======================  ==================================================================================
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.dataset as ds

from data_contracts.job import Config, PublishJob
from data_contracts.recommender.items import ITEMS
from data_contracts.recommender.requests import DEFAULT_K
from data_contracts.recommender.state import STATE
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig
from models.recommender.counts import Days, item_counts, popular_lately
from models.recommender.record import RECORD, read_record
from models.rows.weights import files_of

CATALOGUE = "items.parquet"
EXAMPLE_K = 5
"""Items that an example asks for."""

GOLDEN_HISTORIES = 8
"""Made-up histories whose answers are kept; the i-th holds i + 1 items."""
GOLDEN_TIME, HOUR = datetime(2026, 1, 7, tzinfo=UTC), timedelta(hours=1)
"""When the first of their items was met, where that is said; the next an hour later, then three, five..."""


def write_bundle(job: PublishJob, folder: Path) -> None:
    """Write the weights and the items they know into ``folder``.

    Raises:
        ValueError: The tables hold other items than the weights know, or none of them may be served.
    """
    record = read_record(Path(job.checkpoint))
    for name in (*files_of(record.shards), RECORD):
        shutil.copyfile(Path(job.checkpoint) / name, folder / name)
    config = RecommenderConfig.model_validate(job.config)
    catalogue = _catalogue(job, record.known_items, config)
    if catalogue["item_index"].to_list() != list(range(1, record.known_items + 1)):
        raise ValueError(
            f"weights in {job.checkpoint} know the items 1…{record.known_items:,}, but table 'items' version "
            f"{job.tables.versions[ITEMS.name]} holds {catalogue.height:,} of them. Train on these tables."
        )
    if not catalogue["servable"].any():
        raise ValueError(
            f"none of {catalogue.height:,} items was met {config.min_item_count:,} times; lower min_item_count."
        )
    catalogue.write_parquet(folder / CATALOGUE)


def example(job: PublishJob) -> Config:
    """Ask what to recommend to one of the users."""
    histories = Table(job.tables.folder, STATE).dataset(job.tables.versions[STATE.name])
    return {"user_id": str(histories.head(1, columns=["user_id"])["user_id"][0]), "k": EXAMPLE_K}


def golden_requests(folder: Path) -> list[dict[str, object]]:
    """Make up histories of one to `GOLDEN_HISTORIES` servable items, and one that is empty; always the same.

    Where the network knows times, half of them have some.
    """
    servable = pl.read_parquet(folder / CATALOGUE, glob=False).filter("servable")["item_id"].to_numpy()
    random = np.random.default_rng(seed=0)
    histories = [random.choice(servable, size=length).tolist() for length in range(1, GOLDEN_HISTORIES + 1)]
    requests: list[dict[str, object]] = [{"history": history, "k": DEFAULT_K} for history in [[], *histories]]
    if read_record(folder).network.knows_times:
        for request, history in list(zip(requests[1:], histories, strict=True))[::2]:
            request["times"] = [(GOLDEN_TIME + place**2 * HOUR).isoformat() for place in range(len(history))]
    return requests


def _catalogue(job: PublishJob, known_items: int, config: RecommenderConfig) -> pl.DataFrame:
    items = Table(job.tables.folder, ITEMS).read(
        job.tables.versions[ITEMS.name],
        columns=["item_id", "item_index"],
        where=ds.field("item_index") <= known_items,
    )
    known = item_counts(job.tables, job.known_windows)
    ever = np.pad(known, (0, max(known_items + 1 - len(known), 0)))
    days = Days.before(job.first_day, config.recent_days)
    counts = popular_lately(job.tables, days, ever, held_back=np.zeros_like(ever))
    catalogue = pl.DataFrame(items).sort("item_index")
    numbers = catalogue["item_index"].to_numpy()
    return catalogue.with_columns(count=counts[numbers], servable=ever[numbers] >= config.min_item_count)
