from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.risk.config import RiskConfig
from models.risk.network import PARTIES, WideAndDeep, new_rows
from models.risk.scorers import open_scorer, ship
from models.risk.weights import PARTY_ROWS, RECORD, copy_into, load, save
from models.rows.files import RowsOnDisk
from models.rows.shard import Shard
from models.rows.table import Rows
from tests.models.risk.tables import CONFIG

RISK = RiskConfig.model_validate(CONFIG)


def own(weights: Path, shard: Shard, more: int = 0) -> WideAndDeep:
    """Return what a process has that starts from these weights, and knows some parties more."""
    known = load(weights)
    party = new_rows(known.parties + more, RISK.network, make=partial(Rows, shard=shard))
    network = WideAndDeep(len(known.first.mean_F), known.first.numbers, RISK.network, party)
    copy_into(network, weights)
    return network


@pytest.fixture
def shards(weights: Path, tmp_path: Path) -> Path:
    """The same weights, left by three processes; the first one writes last."""
    for rank in reversed(range(3)):
        save(own(weights, Shard(rank, 3)), RISK, tmp_path / "shards")
    return tmp_path / "shards"


def test_weights_in_shards_are_shipped_and_answer_as_they_do_in_one_file(
    weights: Path, shards: Path, tmp_path: Path
) -> None:
    (shipped := tmp_path / "shipped").mkdir()
    ship(shards, shipped)
    assert {path.name for path in shipped.iterdir()} == {path.name for path in shards.iterdir()}
    assert len(list(shipped.glob("rows-*-of-00003.safetensors"))) == 3
    assert isinstance(load(shipped).first.party, RowsOnDisk), "nobody reads it whole"
    random, one = np.random.default_rng(0), load(weights)
    number_B2 = random.integers(0, one.parties + 5, (50, PARTIES))
    inputs = np.hstack([number_B2, random.normal(size=(50, len(one.first.mean_F)))]).astype(np.float32)
    scorers = open_scorer(shipped), open_scorer(weights)
    for asked in ("log_odds", "moved_by"):
        found, wanted = (getattr(each, asked)(inputs) for each in scorers)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_weights_of_before_there_were_shards_are_read_as_one_file(weights: Path, tmp_path: Path) -> None:
    former = Path(shutil.copytree(weights, tmp_path / "former"))
    told = json.loads((former / RECORD).read_text())
    assert told.pop("shards") == 1
    (former / RECORD).write_text(json.dumps(told))
    one, other = load(weights).state_dict(), load(former).state_dict()
    assert all(torch.equal(other[name], tensor) for name, tensor in one.items())


@pytest.mark.parametrize("world", [1, 2, 5])
def test_any_number_of_processes_go_on_from_any_number_of_shards(weights: Path, shards: Path, world: int) -> None:
    networks = [own(shards, Shard(rank, world), more=4) for rank in range(world)]
    known = load(weights).state_dict()
    grown = torch.cat([each.state_dict()[PARTY_ROWS] for each in networks])
    assert torch.equal(grown, torch.cat([known.pop(PARTY_ROWS), torch.zeros(4, RISK.network.party_width)]))
    for name, tensor in known.items():
        assert all(torch.equal(each.state_dict()[name], tensor) for each in networks), name
