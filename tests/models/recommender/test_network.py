from __future__ import annotations

from typing import Literal

import pytest
import torch
from pydantic import ValidationError

from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.network import SequenceNetwork, inputs_of
from tests.models.recommender.scored import scores as scores_of


@pytest.fixture(params=["sasrec", "hstu"])
def network(request: pytest.FixtureRequest) -> SequenceNetwork:
    torch.manual_seed(0)
    return SequenceNetwork(9, 6, NetworkConfig(kind=request.param, width=8, heads=2)).eval()


def test_a_state_depends_on_nothing_that_comes_later(network: SequenceNetwork) -> None:
    before = inputs_of(torch.tensor([[1, 2, 3, 4]]), torch.tensor([[0, 60, 70, 80]]))
    after = inputs_of(torch.tensor([[1, 2, 9, 8]]), torch.tensor([[0, 60, 3_600, 7_200]]))
    torch.testing.assert_close(network(before)[:, :2], network(after)[:, :2])
    assert not torch.allclose(network(before)[:, 2], network(after)[:, 2])


def test_scores_do_not_depend_on_padding(network: SequenceNetwork) -> None:
    padded = torch.tensor([[1, 2, 3, 0, 0], [5, 6, 7, 8, 9]])
    torch.testing.assert_close(
        scores_of(network, inputs_of(padded))[:1], scores_of(network, inputs_of(torch.tensor([[1, 2, 3]])))
    )


@pytest.mark.parametrize("kind", ["sasrec", "hstu"])
def test_only_differences_of_seconds_count_and_each_of_them(kind: Literal["sasrec", "hstu"]) -> None:
    network = SequenceNetwork(9, 6, NetworkConfig(kind=kind, width=8, heads=2)).eval()
    item_BL, second_BL = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[0, 1, 3, 9]])
    first, later, longer = (
        network(inputs_of(item_BL, each)) for each in (second_BL, second_BL + 1_780_000_000, 9 * second_BL)
    )
    assert first.equal(later)
    assert first.equal(longer) == (kind == "sasrec")


def test_the_order_of_items_matters(network: SequenceNetwork) -> None:
    assert not torch.allclose(
        scores_of(network, inputs_of(torch.tensor([[1, 2, 3]]))),
        scores_of(network, inputs_of(torch.tensor([[2, 1, 3]]))),
    )


def test_nearer_items_count_for_more() -> None:
    """Where items say nothing, a head's attention falls with distance: in the first by e for each item, say."""
    network = SequenceNetwork(9, 6, NetworkConfig(width=8, heads=2)).double().eval()
    block = network.blocks[0]
    torch.nn.init.zeros_(block.query_key_value.weight)
    torch.nn.init.eye_(block.attention_out.weight)
    with torch.no_grad():
        block.query_key_value.weight[16:] = torch.eye(8)  # values are the states
    state_BLD = torch.randn(1, 6, 8).double()
    with torch.no_grad():
        seen = block._attend(state_BLD) - block.attention_out.bias
    for head, slope in enumerate((1, 1 / 16)):
        back = torch.arange(5, -1, -1).double()
        weight = torch.softmax(-slope * back, dim=0)
        torch.testing.assert_close(
            seen[0, 5, 4 * head : 4 * head + 4], weight @ state_BLD[0, :, 4 * head : 4 * head + 4]
        )


def test_the_layers_one_after_another_are_the_network(network: SequenceNetwork) -> None:
    met_BL2 = inputs_of(torch.tensor([[1, 2, 3]]))
    first, rest = network.layers()[0], torch.nn.Sequential(*network.layers()[1:])
    torch.testing.assert_close(rest(first(met_BL2)), network(met_BL2))


def test_hidden_items_are_hidden_whole_and_only_while_training() -> None:
    embedding = SequenceNetwork(9, 400, NetworkConfig(width=8, dropout=0, item_dropout=0.5)).embedding
    met_BL2 = inputs_of(torch.ones(1, 400, dtype=torch.int64))
    row_D = embedding.eval()(met_BL2)[0, 0]
    assert (embedding(met_BL2) == row_D).all()
    hidden = []
    for _ in range(2):
        state_BLD = embedding.train()(met_BL2)
        hidden.append((state_BLD == 0).all(dim=2))
        assert 100 < hidden[-1].sum() < 300
        assert (state_BLD[~hidden[-1]] == row_D).all()
    assert not hidden[0].equal(hidden[1])


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValidationError, match=r"heads \(3\) must divide width \(8\)"):
        NetworkConfig(width=8, heads=3)


def test_a_setting_of_another_choice_is_refused() -> None:
    with pytest.raises(ValidationError, match="negatives"):
        RecommenderConfig.model_validate({"loss": {"kind": "full_softmax", "negatives": 5}})
