from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from data_contracts.job import EvaluateJob, TablesAt, Validation
from data_contracts.night import HeldOut, Validated, Window, Workspace
from data_contracts.recommender.events import EVENTS
from data_contracts.table import Table
from models.recommender.config import RecommenderConfig
from models.recommender.evaluate import evaluate
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night

THROUGH = date(1998, 4, 22)


@pytest.mark.slow
def test_ml_100k_gives_the_baselines_of_a_script_that_shares_no_code(
    real_data: Path, tmp_path: Path, cluster: str
) -> None:
    """Numbers: all items ranked, everything seen removed, baselines on training events only, ties at half rank."""
    workspace = Workspace(name="ml-100k", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite://")
    version = write_events(real_data / "ml-100k.inter", workspace)
    validated = Validated(truth=version, window=Window(first_day=date(1997, 9, 20), last_day=THROUGH))
    features = FeatureConfig()
    night = build_night(workspace, validated, HeldOut(), features, "leave_one_out", cluster)
    found = evaluate(
        EvaluateJob(
            use_case="recommender",
            tables=TablesAt(folder=workspace.tables, versions=night.tables),
            window=night.windows[-1],
            known_windows=night.windows[:-1],
            validation=Validation(window=night.windows[-2], whole=True),
            contestants={},
            config=RecommenderConfig().model_dump(mode="json"),
            features=features.model_dump(mode="json"),
            work_folder="",
        )
    )
    names = ("hr@10", "ndcg@10")
    assert [found.metrics["popularity"][name] for name in names] == pytest.approx([0.0774, 0.0365], abs=0.0001)
    assert [found.metrics["markov"][name] for name in names] == pytest.approx([0.1262, 0.0723], abs=0.0001)
    assert found.counts["targets"] == found.counts["units"] == 943


def write_events(file: Path, workspace: Workspace) -> int:
    """Publish the ratings as `validate` would, and return the table's version."""
    ratings = pl.read_csv(file, separator="\t", new_columns=["user_id", "item_id", "value", "seconds"])
    timestamp = pl.from_epoch(pl.col("seconds").cast(pl.Int64), "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    events = ratings.select(
        pl.col("user_id").cast(pl.String),
        pl.col("item_id").cast(pl.String),
        pl.lit("rating").alias("event"),
        timestamp.alias("timestamp"),
        pl.col("value").cast(pl.Float32),
        timestamp.dt.date().alias("day"),
    )
    table = Table(workspace.tables, EVENTS)
    marks = {"window": THROUGH.toordinal(), "published": 0, "accepted": events.height}
    return table.commit(table.write(events.to_arrow(), "ratings"), consumed=["file:ml-100k"], marks=marks)
