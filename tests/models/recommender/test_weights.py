from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from data_contracts.bundle import training_settings
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.network import inputs_of
from models.recommender.record import read_record
from models.recommender.weights import Weights, copy_into, load, new_network, save
from models.rows.shard import Shard
from models.rows.table import Rows
from models.rows.weights import files_of
from models.weights import WeightsError
from tests.models.recommender.scored import scores as scores_of

CONFIG = RecommenderConfig(network=NetworkConfig(width=8))
FEATURES = {"max_length": 4}


@pytest.fixture
def saved(tmp_path: Path) -> Weights:
    torch.manual_seed(0)
    weights = Weights(new_network(5, CONFIG, dict(FEATURES)).eval(), CONFIG, dict(FEATURES))
    save(weights, tmp_path / "weights")
    return weights


def test_weights_come_back_as_they_were(saved: Weights, tmp_path: Path) -> None:
    loaded = load(tmp_path / "weights")
    histories = inputs_of(torch.tensor([[1, 2, 3], [5, 4, 0]]))
    assert torch.equal(scores_of(loaded.network, histories), scores_of(saved.network, histories))
    assert (loaded.exclude_seen, loaded.network.max_length, loaded.network.items) == (True, 4, 5)
    assert training_settings(tmp_path / "weights", {}) == (CONFIG.model_dump(mode="json"), FEATURES)
    assert not loaded.network.training


def test_new_items_get_rows_and_known_ones_keep_theirs(saved: Weights, tmp_path: Path) -> None:
    grown = new_network(8, CONFIG, dict(FEATURES)).eval()
    fresh = grown.embedding.item.weight.detach().clone()
    copy_into(grown, tmp_path / "weights")
    histories = inputs_of(torch.tensor([[1, 2, 3]]))
    torch.testing.assert_close(scores_of(grown, histories)[:, :6], scores_of(saved.network, histories))
    assert torch.equal(grown.embedding.item.weight[6:], fresh[6:])


def save_in_shards(folder: Path, items: int, processes: int) -> None:
    for rank in reversed(range(processes)):
        torch.manual_seed(0)
        network = new_network(items, CONFIG, dict(FEATURES), partial(Rows, shard=Shard(rank, processes)))
        save(Weights(network, CONFIG, dict(FEATURES)), folder)


def test_weights_in_shards_answer_as_they_do_in_one_file(saved: Weights, tmp_path: Path) -> None:
    save_in_shards(tmp_path / "shards", 5, 3)
    for folder, count in (("weights", 1), ("shards", 4)):
        files = {path.name for path in (tmp_path / folder).glob("*.safetensors")}
        assert (set(files_of(read_record(tmp_path / folder).shards)), len(files)) == (files, count)
    histories = inputs_of(torch.tensor([[1, 2, 3], [5, 4, 0]]))
    torch.testing.assert_close(
        scores_of(load(tmp_path / "shards").network, histories), scores_of(saved.network, histories)
    )


@pytest.mark.parametrize(("written_by", "read_by"), [(3, 1), (3, 2), (1, 3), (2, 5)])
def test_any_number_of_processes_go_on_from_any_number_of_shards(tmp_path: Path, written_by: int, read_by: int) -> None:
    save_in_shards(tmp_path, 5, written_by)
    known = new_network(5, CONFIG, dict(FEATURES)).item.weight
    other = CONFIG.model_copy(update={"fit": CONFIG.fit.model_copy(update={"seed": 1})})
    fresh = new_network(8, other, dict(FEATURES)).item.weight
    grown = []
    for rank in range(read_by):
        network = new_network(8, other, dict(FEATURES), partial(Rows, shard=Shard(rank, read_by)))
        copy_into(network, tmp_path)
        grown.append(network.item.weight)
    assert torch.equal(torch.cat(grown), torch.cat([known, fresh[6:]]))


def test_a_network_that_knows_fewer_items_than_shards_is_refused(tmp_path: Path) -> None:
    save_in_shards(tmp_path, 5, 2)
    with pytest.raises(WeightsError, match=r"embedding\.item\.weight: \(4, 8\), wanted \(2, 8\)"):
        copy_into(new_network(3, CONFIG, dict(FEATURES), partial(Rows, shard=Shard(1, 2))), tmp_path)


def test_weights_of_another_shape_are_refused_with_every_difference(saved: Weights, tmp_path: Path) -> None:
    other = RecommenderConfig(network=NetworkConfig(width=4, blocks=1))
    with pytest.raises(
        WeightsError, match=r"(?s)blocks\.1\.\S+: \(\d.*wanted none.*head\.norm\.bias: \(8,\), wanted \(4,\)"
    ):
        copy_into(new_network(5, other, dict(FEATURES)), tmp_path / "weights")


def test_a_network_that_knows_fewer_items_is_refused(saved: Weights, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"embedding\.item\.weight: \(6, 8\), wanted \(4, 8\)"):
        copy_into(new_network(3, CONFIG, dict(FEATURES)), tmp_path / "weights")


def test_features_without_a_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features\.max_length is None"):
        new_network(3, CONFIG, {})
