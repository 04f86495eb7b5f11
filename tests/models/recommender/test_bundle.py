from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from data_contracts.manifest import seal, verify
from data_contracts.recommender.requests import REQUESTS
from models.publish import write_bundle
from models.recommender.bundle import CATALOGUE, golden_requests
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.weights import Weights, new_network, save
from tests.models.serving.tiny_shop import KNOWN, NOON, item, publish_job, write_weights


def test_the_catalogue_holds_the_items_that_the_weights_know_with_their_counts(tmp_path: Path) -> None:
    catalogue = pl.read_parquet(write_bundle(publish_job(tmp_path)).folder / CATALOGUE)
    assert catalogue["item_id"].to_list() == [item(number) for number in range(1, KNOWN + 1)]
    assert catalogue["count"].to_list() == [*range(19, 10, -1), 1]
    assert catalogue["servable"].to_list() == [True] * 9 + [False]


def test_items_are_counted_by_the_days_before_the_newest_window_the_others_come_behind(tmp_path: Path) -> None:
    job = publish_job(tmp_path).model_copy(update={"first_day": NOON.date()})
    predictor = write_bundle(job).predictor
    request = {"user_id": "nobody", "k": 5}
    (answer,) = predictor.predict(pa.Table.from_pylist([request], schema=REQUESTS.schema)).to_pylist()
    assert answer["item_id"] == list(map(item, (9, 8, 1, 2, 3))), "7 was met more than recent_days ago"
    assert answer["score"] == [2, 1, 0, 0, 0]


def test_golden_histories_are_made_up_of_servable_items_and_always_the_same(tmp_path: Path) -> None:
    folder = write_bundle(publish_job(tmp_path)).folder
    requests = golden_requests(folder)
    assert requests == golden_requests(folder)
    assert [len(request["history"]) for request in requests] == list(range(9))  # type: ignore[arg-type]
    assert not any(item(10) in request["history"] for request in requests)  # type: ignore[operator]


def test_half_of_the_golden_histories_have_times_where_the_network_knows_them(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    write_weights(Path(job.checkpoint), kind="hstu")
    requests = golden_requests(write_bundle(job).folder)
    assert [len(request.get("times", ())) for request in requests] == [0, 1, 0, 3, 0, 5, 0, 7, 0]  # type: ignore[arg-type]


def test_a_bundle_made_twice_is_whole_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    made_before = write_bundle(job).folder
    made_before.rename(made_before.with_name(".bundle"))  # as a kill leaves it
    folder = write_bundle(job).folder
    verify(folder)
    assert [path.name for path in Path(job.work_folder).iterdir()] == ["bundle"]


def test_weights_of_other_tables_are_refused(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    config = RecommenderConfig(network=NetworkConfig(width=8, blocks=1, heads=1))
    save(Weights(new_network(13, config, {"max_length": 5}), config, {"max_length": 5}), Path(job.checkpoint))
    seal(Path(job.checkpoint))
    with pytest.raises(ValueError, match="know the items 1…13, but table 'items' version 0 holds 12"):
        write_bundle(job)


def test_a_shop_without_one_servable_item_is_refused(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    config = write_weights(Path(job.checkpoint), min_item_count=100)
    job = job.model_copy(update={"config": config.model_dump(mode="json")})
    with pytest.raises(ValueError, match="none of 10 items was met 100 times; lower min_item_count"):
        write_bundle(job)
