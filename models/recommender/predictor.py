"""Answers requests: a user or a history in, the best next items out.

Of a history counts what the model knows: items that are unknown to it, or too rare to be learned, are skipped, and
``source`` says how many. When nothing is left, popular items are the answer, and ``source`` says why.

Shape letters: B rows, L positions, D width, N items.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import torch

from data_contracts.bundle import read_record
from data_contracts.recommender.requests import ANSWERS, REQUESTS
from models.recommender.asked import Request, read_requests
from models.recommender.bundle import CATALOGUE
from models.recommender.histories import Histories, Numbers, Seconds
from models.recommender.network import inputs_of
from models.recommender.reading import states_after
from models.recommender.weights import load
from models.rows.ranking import Hidden
from models.rows.ranking import best as best_rows

Scores = npt.NDArray[np.float32]

NOTHING = np.empty(0, dtype=np.int32)
NEVER = np.empty(0, dtype=np.int64)


class Understood(NamedTuple):
    """One request, understood.

    Attributes:
        items: Item numbers that the network reads, oldest first; empty when popular items are the answer.
        second: When each was met.
        hidden: Item numbers that must not be in the answer.
        k: Items wanted.
        source: What the answer will say that it rests on.
    """

    items: Numbers
    second: Seconds
    hidden: Numbers
    k: int
    source: str


class RecommenderPredictor:
    """See `models.use_case.Predictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle, or the table of histories that it names, is not there.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema

    def __init__(self, folder: Path) -> None:
        weights = load(folder)
        catalogue = pl.read_parquet(folder / CATALOGUE, glob=False)
        self._network = weights.network
        self._exclude_seen = weights.exclude_seen
        self._histories = Histories(read_record(folder).tables, times=weights.network.knows_times)
        self._item_ids = np.array(["", *catalogue["item_id"]], dtype=object)
        self._numbers = {item_id: number for number, item_id in enumerate(self._item_ids) if number}
        self._servable = np.array([False, *catalogue["servable"]])
        self._counts = np.array([0, *catalogue["count"]], dtype=np.float64)
        by_count = np.argsort(-self._counts, kind="stable")
        self._popular = by_count[self._servable[by_count]].astype(np.int32)
        self._allowed_N = torch.from_numpy(self._servable)

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row: `data_contracts.recommender.requests` says what with.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        asked = [self._understand(request) for request in read_requests(requests)]
        answers = {row: self._by_count(one) for row, one in enumerate(asked) if not len(one.items)}
        by_network = [row for row in range(len(asked)) if row not in answers]
        if by_network:
            answers |= zip(by_network, self._by_network([asked[row] for row in by_network]), strict=True)
        return pa.Table.from_pylist([answers[row] for row in range(len(asked))], schema=self.answer_schema)

    def _understand(self, request: Request) -> Understood:
        """Turn a request into item numbers."""
        k = request.k
        if request.user_id is None:
            items = seen = np.array([self._numbers.get(item_id, 0) for item_id in request.history], dtype=np.int32)
            second = request.second
        else:
            history = self._histories.find(request.user_id)
            if history is None:
                return Understood(NOTHING, NEVER, NOTHING, k, "popular: unknown user")
            items, seen, second = history
        hidden = seen[seen < len(self._item_ids)] if self._exclude_seen else NOTHING
        within = np.flatnonzero(items < len(self._servable))
        known = within[self._servable[items[within]]]
        skipped = len(items) - len(known)
        if not len(known):
            why = f"none of {skipped:,} items known" if skipped else "empty history"
            return Understood(NOTHING, NEVER, hidden, k, f"popular: {why}")
        source = f"history: {skipped:,} unknown items skipped" if skipped else "history"
        last = known[-self._network.max_length :]
        return Understood(items[last], second[last], hidden, k, source)

    def _by_count(self, asked: Understood) -> dict[str, object]:
        """Answer with what is popular lately; of equals the one met more often ever, or known longer, comes first."""
        candidates = self._popular[: asked.k + len(asked.hidden)]
        best = candidates[~np.isin(candidates, asked.hidden)][: asked.k]
        return self._answer(asked, best, np.floor(self._counts[best]).astype(np.float32))

    @torch.inference_mode()
    def _by_network(self, asked: Sequence[Understood]) -> list[dict[str, object]]:
        """Answer by the network, all rows in one pass over the items."""
        length_B = np.array([len(one.items) for one in asked])
        item_BL, second_BL = np.zeros((2, len(asked), length_B.max()), dtype=np.int64)
        for row, one in enumerate(asked):
            item_BL[row, : len(one.items)] = one.items
            second_BL[row, : len(one.items)] = one.second
        met_BL2 = inputs_of(torch.from_numpy(item_BL), torch.from_numpy(second_BL))
        number_B = torch.arange(len(asked))
        state_BD = states_after(self._network, met_BL2, number_B, torch.from_numpy(length_B))
        best = best_rows(
            state_BD,
            self._network.item.blocks(),
            min(max(one.k for one in asked), len(self._popular)),
            allowed_N=self._allowed_N,
            hidden=_hidden(asked),
        )
        answers = []
        for one, numbers, scores in zip(asked, best.number_TK.numpy(), best.score_TK.numpy(), strict=True):
            ranked = np.isfinite(scores[: one.k])
            answers.append(self._answer(one, numbers[: one.k][ranked], scores[: one.k][ranked]))
        return answers

    def _answer(self, asked: Understood, numbers: Numbers, scores: Scores) -> dict[str, object]:
        return {"item_id": self._item_ids[numbers].tolist(), "score": scores.tolist(), "source": asked.source}


def _hidden(asked: Sequence[Understood]) -> Hidden:
    rows = np.repeat(np.arange(len(asked)), [len(one.hidden) for one in asked])
    return Hidden(torch.from_numpy(rows), torch.from_numpy(np.concatenate([one.hidden for one in asked])).long())
