from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.recommender import reading
from models.recommender.baselines import Markov, Popularity
from models.recommender.config import NetworkConfig
from models.recommender.contestants import Contestant, Counted, Flags, Learned
from models.recommender.layout import Batch
from models.recommender.metrics import LIST_LENGTH
from models.recommender.network import SequenceNetwork, inputs_of
from models.recommender.standing import Standing
from tests.models.recommender.scored import scores as scores_of
from tests.models.rows import plain

ITEMS, LENGTH = 40, 5
NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)


class Drawn:
    """A batch of targets, and a house to judge in: many ties, items that few know, and what is hidden."""

    def __init__(self, seed: int, examples: int) -> None:
        self.random = np.random.default_rng(seed)
        item_EL = self.random.integers(1, ITEMS + 1, (examples, LENGTH))
        minute_EL = self.random.integers(0, 9, (examples, LENGTH)).cumsum(axis=1)
        cells = pl.DataFrame({"example": np.arange(examples).repeat(LENGTH), "item": item_EL.ravel().astype(np.int32)})
        cells = cells.with_columns(time=NOON + pl.duration(minutes=pl.Series(minute_EL.ravel())))
        self.events = cells.with_columns(place=pl.int_range(pl.len()))
        is_target = pl.Series(self.random.random(len(cells)) < 0.5, dtype=pl.Boolean)
        self.targets = self.events.filter(is_target).with_columns(user="example", is_new=True)
        self.hidden = plain.drawn_pairs(self.random, len(self.targets), ITEMS + 1)
        self.servable = np.append(False, self.random.random(ITEMS) < 0.8)
        self.popularity = Popularity(self.random.integers(5, size=ITEMS + 1) / 2)

    def batch(self) -> Batch:
        target, item = self.hidden
        hidden = pl.DataFrame({"target": target, "item": item.astype(np.int32)})
        read = self.events.join(self.targets, on="example", how="semi", maintain_order="left")
        return Batch(self.targets, read, hidden)

    def read(self, knows: Flags) -> list[list[tuple[int, datetime]]]:
        """What is read before each target, and when it was met."""
        every = list(zip(self.events["item"], self.events["time"], strict=True))
        return [
            [met for met in every[place - place % LENGTH : place] if knows[met[0]]] for place in self.targets["place"]
        ]

    def check(self, contestant: Contestant, score_TN: plain.Floats) -> None:
        """Compare with the whole matrix of scores."""
        item_T, knows = self.targets["item"].to_numpy().astype(np.int64), contestant.knows
        found = contestant.rank(self.batch())
        wanted_T = plain.ranks(score_TN, item_T, knows, self.hidden)
        assert found.rank_T[knows[item_T]].tolist() == wanted_T[knows[item_T]].tolist()
        best = plain.best_scores(score_TN, knows, self.hidden, LIST_LENGTH)
        assert len(found.best) == sum(map(len, best))
        left_TN = np.where(knows, score_TN, -np.inf)
        left_TN[self.hidden] = -np.inf
        lists = [
            set(np.flatnonzero(left >= scores[-1])) if scores else set()
            for left, scores in zip(left_TN, best, strict=True)
        ]
        assert set(found.best) <= set().union(*lists)


@given(seed=st.integers(0, 2**32 - 1), examples=st.integers(0, 4))
def test_popularity_and_markov_rank_as_their_whole_lists_do(seed: int, examples: int) -> None:
    drawn = Drawn(seed, examples)
    read = drawn.read(drawn.servable)
    drawn.check(Counted(drawn.popularity, drawn.servable), np.tile(drawn.popularity.counts, (len(read), 1)))

    previous, item = plain.drawn_pairs(drawn.random, ITEMS + 1, ITEMS + 1)
    count = drawn.random.integers(1, 4, len(item))
    followed = pl.DataFrame({"previous": previous, "item": item}, schema={"previous": pl.Int32, "item": pl.Int32})
    markov = Markov(followed.with_columns(count=count.astype(np.uint32)), drawn.popularity)
    count_NN = np.zeros((ITEMS + 1, ITEMS + 1))
    count_NN[previous, item] = count
    last_T = [before[-1][0] if before else 0 for before in read]
    fraction = drawn.popularity.counts / (drawn.popularity.counts.max() + 1)
    drawn.check(Counted(markov, drawn.servable), count_NN[last_T] + fraction)


@pytest.mark.parametrize("kind", ["sasrec", "hstu"])
@given(seed=st.integers(0, 2**32 - 1), examples=st.integers(0, 4), known=st.integers(1, ITEMS))
def test_a_network_ranks_as_its_whole_list_does_and_by_popularity_where_it_read_nothing(
    kind: Literal["sasrec", "hstu"], seed: int, examples: int, known: int
) -> None:
    drawn = Drawn(seed, examples)
    torch.manual_seed(seed)
    network = SequenceNetwork(known, LENGTH, NetworkConfig(kind=kind, width=8, heads=2, blocks=1)).eval()
    with torch.no_grad():
        weight = network.head.item.weight.normal_()
        weight[2::2] = weight[1:known:2]  # twins
    learned = Learned(network, drawn.popularity, drawn.servable)
    score_TN = np.tile(drawn.popularity.counts, (len(drawn.targets), 1))
    for target, before in enumerate(drawn.read(learned.knows)):
        if before:
            item_BL = torch.tensor([[item for item, _ in before]])
            second_BL = torch.tensor([[int(time.timestamp()) for _, time in before]])
            with torch.no_grad():
                scores = scores_of(network, inputs_of(item_BL, second_BL))[0].numpy()
            score_TN[target, : known + 1] = np.append(0, scores[1:].astype(float).round(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "POSITIONS_AT_ONCE", int(drawn.random.integers(1, 12)))
        drawn.check(learned, score_TN)


def test_a_diverged_network_ranks_nothing_but_what_popularity_answers() -> None:
    drawn = Drawn(0, examples=6)
    network = SequenceNetwork(ITEMS, LENGTH, NetworkConfig(width=8, heads=2, blocks=1)).eval()
    with torch.no_grad():
        network.head.norm.weight.fill_(torch.nan)
    learned = Learned(network, drawn.popularity, np.append(False, np.ones(ITEMS, bool)))
    found = learned.rank(drawn.batch())
    has_read = [bool(before) for before in drawn.read(learned.knows)]
    assert 0 < sum(has_read) < len(has_read)
    assert np.isnan(found.rank_T).tolist() == has_read


def test_a_target_that_a_contestant_does_not_know_is_a_miss_also_where_it_diverged() -> None:
    drawn = Drawn(1, examples=6)
    drawn.servable[:] = False
    network = SequenceNetwork(3, LENGTH, NetworkConfig(width=8, heads=2, blocks=1)).eval()
    for contestant in (Counted(drawn.popularity, drawn.servable), Learned(network, drawn.popularity, drawn.servable)):
        standing = Standing(contestant)
        standing._live.add(drawn.batch())
        assert np.isinf(standing._live.ranks()).all()
