from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_contracts.job import FitJob, TablesAt, Validation
from models.recommender.config import (
    FULL_AT_MOST,
    FULL_UP_TO,
    FullSoftmax,
    Loss,
    NetworkConfig,
    RecommenderConfig,
    SampledSoftmax,
)
from models.recommender.module import Batch, RecommenderModule, Targets
from models.recommender.network import inputs_of
from models.recommender.weights import Weights, load, new_network, save
from tests.models.recommender.tables import write_tables

COUNTS = np.array([0, 5, 4, 3, 2, 1])
ITEM_BL = torch.tensor([[1, 2, 3, 4], [5, 3, 0, 0], [2, 1, 0, 0]])
MET_BL2 = inputs_of(ITEM_BL)
TARGET_BL = torch.tensor([[0, 3, 4, 5], [3, 1, 0, 0], [0, 4, 0, 0]])
TOTAL = 6


def module(config: RecommenderConfig) -> RecommenderModule:
    torch.manual_seed(0)
    features = {"max_length": 4}
    made = RecommenderModule(Weights(new_network(5, config, dict(features)), config, dict(features)), COUNTS)
    torch.nn.init.normal_(made.network.embedding.item.weight)
    return made.double().eval()


def config(loss: FullSoftmax | SampledSoftmax, *, exclude_seen: bool = True) -> RecommenderConfig:
    return RecommenderConfig(network=NetworkConfig(width=8), loss=loss, exclude_seen=exclude_seen)


@pytest.mark.parametrize("loss", [FullSoftmax(), SampledSoftmax(negatives=7)], ids=lambda loss: loss.kind)
def test_losses_and_gradients_of_the_shares_add_up_to_those_of_the_batch(loss: FullSoftmax | SampledSoftmax) -> None:
    def of(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        made = module(config(loss))
        targets = Targets(TARGET_BL[rows], TOTAL, step=3)
        made.hold(Batch(MET_BL2[rows], targets, examples=3, rows=np.arange(3)[rows], origin=""))
        value = made.loss(made.network(MET_BL2[rows]), targets)
        value.backward()  # type: ignore[no-untyped-call]
        made.release()
        assert made.item.weight.grad is not None
        return value.detach(), made.item.weight.grad.to_dense()

    whole, parts = of(slice(0, 3)), [of(slice(0, 2)), of(slice(2, 3))]
    torch.testing.assert_close(sum(value for value, _ in parts), whole[0])
    torch.testing.assert_close(sum(gradient for _, gradient in parts), whole[1])


@pytest.mark.parametrize(
    ("asked", "items", "taken"),
    [
        pytest.param(None, FULL_UP_TO, FullSoftmax(), id="few items"),
        pytest.param(None, FULL_UP_TO + 1, SampledSoftmax(), id="many items"),
        pytest.param(FullSoftmax(), FULL_UP_TO + 1, FullSoftmax(), id="asked for, though many"),
        pytest.param(SampledSoftmax(negatives=7), 5, SampledSoftmax(negatives=7), id="asked for, though few"),
    ],
)
def test_the_loss_follows_the_catalogue_unless_it_is_set(asked: Loss | None, items: int, taken: Loss) -> None:
    assert RecommenderConfig(loss=asked).with_loss_for(items).loss == taken


def test_a_full_softmax_over_too_many_items_is_refused() -> None:
    wanted = r"model\.loss: full_softmax compares each target with all 100,001 items.*100,000 at most.*sampled_softmax"
    with pytest.raises(ValueError, match=wanted):
        RecommenderConfig(loss=FullSoftmax()).with_loss_for(FULL_AT_MOST + 1)


def test_where_no_process_has_all_rows_items_are_sampled_and_a_full_softmax_is_refused() -> None:
    assert RecommenderConfig().with_loss_for(5, sharded=True).loss == SampledSoftmax()
    with pytest.raises(
        ValueError, match=r"full_softmax .*sharded or served no process has them all\. Take kind: sampled"
    ):
        RecommenderConfig(loss=FullSoftmax()).with_loss_for(5, sharded=True)


def test_a_catalogue_that_has_grown_is_sampled_from_and_goes_on_from_a_champion_that_was_not(tmp_path: Path) -> None:
    few, many = {"user-0": [1, 2, 3]}, {"user-0": list(range(1, FULL_UP_TO + 2))}
    tables = write_tables(tmp_path / "tables", {"a": few, "b": many}, max_length=4)
    champion = RecommenderModule.of(FitJob(**job(tables, "a")))
    assert champion.config.loss == FullSoftmax()
    save(champion.weights(), tmp_path / "champion")
    made = RecommenderModule.of(FitJob(**job(tables, "a", "b"), warm_start=str(tmp_path / "champion")))
    assert made.config.loss == made.weights().config.loss == SampledSoftmax()
    old, new = (each.network.embedding.item.weight for each in (champion, made))
    torch.testing.assert_close(new[:4], old)
    assert made.loss(
        made.network(inputs_of(torch.tensor([[1, 2]]))), Targets(torch.tensor([[2, 9]]), 2, step=0)
    ).isfinite()


def job(tables: TablesAt, *windows: str) -> dict[str, Any]:
    return {
        "use_case": "recommender",
        "run_folder": "",
        "tables": tables,
        "windows": windows,
        "known_windows": windows,
        "validation": Validation(window=windows[-1]),
        "config": {"network": {"width": 8}},
        "features": {"max_length": 4},
        "tracking_uri": "",
        "run_id": "",
    }


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_gains_are_those_of_a_plain_ranking(*, exclude_seen: bool) -> None:
    made = module(config(FullSoftmax(), exclude_seen=exclude_seen))
    rows, places = TARGET_BL.nonzero(as_tuple=True)
    with torch.no_grad():
        state_BLD = made.network(MET_BL2)
        got = made.gains(state_BLD[rows, places], TARGET_BL[rows, places], ITEM_BL[rows], places)
    expected = []
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        scores = (state_BLD[row, place] @ made.network.head.item.weight.T).tolist()
        target = int(TARGET_BL[row, place])
        hidden = set(ITEM_BL[row, : place + 1].tolist()) if exclude_seen else set()
        rank = sum(scores[item] > scores[target] for item in range(1, 6) if item not in hidden)
        expected.append(1 / math.log2(rank + 2))
    assert got.tolist() == pytest.approx(expected)


def test_a_state_that_is_no_number_gains_nothing_but_nan() -> None:
    made = module(config(FullSoftmax()))
    state_MD = torch.full((1, 8), float("nan"), dtype=torch.float64)
    assert made.gains(state_MD, torch.tensor([3]), torch.tensor([[1, 2]]), torch.tensor([1])).isnan().all()


def test_a_module_starts_from_the_weights_it_is_told_and_knows_new_items_too(tmp_path: Path) -> None:
    settings = config(FullSoftmax())
    features = {"max_length": 4}
    save(Weights(new_network(2, settings, dict(features)), settings, dict(features)), tmp_path / "weights")
    job = FitJob(
        use_case="recommender",
        run_folder="",
        tables=write_tables(tmp_path / "tables", {"a": {"ann": [1, 2]}, "b": {"ann": [3, 1]}, "c": {"ann": [4]}}),
        windows=("b",),
        known_windows=("a", "b"),
        validation=Validation(window="b"),
        warm_start=str(tmp_path / "weights"),
        config=settings.model_dump(mode="json"),
        features=dict(features),
        tracking_uri="",
        run_id="",
    )
    made = RecommenderModule.of(job)
    assert made.network.items == 3
    old = load(tmp_path / "weights").network.embedding.item.weight
    assert torch.equal(made.network.embedding.item.weight[:3], old)
