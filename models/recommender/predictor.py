"""Answers requests: a user or a history in, the best next items out.

Of a history counts what the model knows: items that are unknown to it, or too rare to be learned, are skipped, and
``source`` says how many. When nothing is left, popular items are the answer, and ``source`` says why.

Shape letters: B rows, L positions, D width, N items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import torch

from data_contracts.bundle import read_record
from data_contracts.contract import SchemaMismatchError
from data_contracts.recommender.requests import ANSWERS, DEFAULT_K, MAX_HISTORY, MAX_K, REQUESTS
from models.recommender.bundle import CATALOGUE
from models.recommender.histories import Histories, Numbers
from models.recommender.reading import states_after
from models.recommender.weights import load
from models.rows.ranking import Hidden
from models.rows.ranking import best as best_rows

Scores = npt.NDArray[np.float32]

NOTHING = np.empty(0, dtype=np.int32)


class Asked(NamedTuple):
    """One request, understood.

    Attributes:
        items: Item numbers that the network reads, oldest first; empty when popular items are the answer.
        hidden: Item numbers that must not be in the answer.
        k: Items wanted.
        source: What the answer will say that it rests on.
    """

    items: Numbers
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
        self._histories = Histories(read_record(folder).tables)
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
        asked = [self._understand(row) for row in _checked(requests)]
        answers = {row: self._by_count(one) for row, one in enumerate(asked) if not len(one.items)}
        by_network = [row for row in range(len(asked)) if row not in answers]
        if by_network:
            answers |= zip(by_network, self._by_network([asked[row] for row in by_network]), strict=True)
        return pa.Table.from_pylist([answers[row] for row in range(len(asked))], schema=self.answer_schema)

    def _understand(self, request: dict[str, object]) -> Asked:
        """Turn a checked request into item numbers."""
        user_id, given, k = request["user_id"], request["history"], request["k"] or DEFAULT_K
        assert isinstance(k, int)
        if isinstance(given, list):
            items = seen = np.array([self._numbers.get(item_id, 0) for item_id in given], dtype=np.int32)
        else:
            history = self._histories.find(str(user_id))
            if history is None:
                return Asked(NOTHING, NOTHING, k, "popular: unknown user")
            items, seen = history
        hidden = seen[seen < len(self._item_ids)] if self._exclude_seen else NOTHING
        known = self._known(items)
        skipped = len(items) - len(known)
        if not len(known):
            why = f"none of {skipped:,} items known" if skipped else "empty history"
            return Asked(NOTHING, hidden, k, f"popular: {why}")
        source = f"history: {skipped:,} unknown items skipped" if skipped else "history"
        return Asked(known[-self._network.max_length :], hidden, k, source)

    def _known(self, items: Numbers) -> Numbers:
        known = items[items < len(self._servable)]
        servable: Numbers = known[self._servable[known]]
        return servable

    def _by_count(self, asked: Asked) -> dict[str, object]:
        """Answer with what is popular lately; of equals the one met more often ever, or known longer, comes first."""
        candidates = self._popular[: asked.k + len(asked.hidden)]
        best = candidates[~np.isin(candidates, asked.hidden)][: asked.k]
        return self._answer(asked, best, np.floor(self._counts[best]).astype(np.float32))

    @torch.inference_mode()
    def _by_network(self, asked: Sequence[Asked]) -> list[dict[str, object]]:
        """Answer by the network, all rows in one pass over the items."""
        length_B = np.array([len(one.items) for one in asked])
        item_BL = np.zeros((len(asked), length_B.max()), dtype=np.int64)
        for row, one in enumerate(asked):
            item_BL[row, : len(one.items)] = one.items
        number_B = torch.arange(len(asked))
        state_BD = states_after(self._network, torch.from_numpy(item_BL), number_B, torch.from_numpy(length_B))
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

    def _answer(self, asked: Asked, numbers: Numbers, scores: Scores) -> dict[str, object]:
        return {"item_id": self._item_ids[numbers].tolist(), "score": scores.tolist(), "source": asked.source}


def _hidden(asked: Sequence[Asked]) -> Hidden:
    rows = np.repeat(np.arange(len(asked)), [len(one.hidden) for one in asked])
    return Hidden(torch.from_numpy(rows), torch.from_numpy(np.concatenate([one.hidden for one in asked])).long())


def _checked(requests: pa.Table) -> list[dict[str, object]]:
    """Return requests as rows with every column, or say all that is wrong with them."""
    unknown = [name for name in requests.column_names if name not in REQUESTS.schema.names]
    if unknown:
        raise ValueError(f"columns {unknown}: unknown, wanted some of {REQUESTS.schema.names}.")
    for field in REQUESTS.schema:
        if field.name not in requests.column_names:
            requests = requests.append_column(field, pa.nulls(requests.num_rows, field.type))
    try:
        rows: list[dict[str, object]] = REQUESTS.conform(requests).to_pylist()
    except SchemaMismatchError as error:
        raise ValueError(str(error)) from error
    problems = [f"request {row}: {problem}" for row, request in enumerate(rows) for problem in _problems(request)]
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return rows


def _problems(request: dict[str, object]) -> Iterator[str]:
    user_id, history, k = request["user_id"], request["history"], request["k"]
    if (user_id is None) == (history is None):
        yield f"{'neither' if user_id is None else 'both'} of user_id and history, wanted one of them"
    if isinstance(history, list) and None in history:
        yield "a null in history, wanted item ids"
    if isinstance(history, list) and len(history) > MAX_HISTORY:
        yield f"history holds {len(history):,} items, wanted {MAX_HISTORY:,} at most: send the newest"
    if isinstance(k, int) and not 1 <= k <= MAX_K:
        yield f"k is {k:,}, wanted 1 to {MAX_K:,}"
