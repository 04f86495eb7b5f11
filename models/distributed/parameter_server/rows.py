"""The rows of a table that one shard holds: made when they are learned from first, forgotten when nobody reads them.

A row that is not held reads as its first values, which follow from (seed, number); so does one that was forgotten.
Shard s of S has the rows s, s + S, s + 2 S, …: ids get numbers as they come, so the popular ones are spread evenly.
Shape letters: N rows of the table, U rows of a step, C rows that there is room for, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.distributed.parameter_server.compiled import take_step
from models.distributed.parameter_server.dealt import index_of, is_own, number_of
from models.distributed.parameter_server.declared import Table
from models.rows.first_values import first_values
from models.rows.ranking import Blocks
from models.rows.rules import ROWS_AT_ONCE, RowState, caught_up
from models.rows.shard import Shard
from models.rows.table import NOTHING

NOT_HELD = -1
FEWEST = 64
"""Rows that room is made for, at least."""
MOST_DRAWN = 2**28
"""Bytes of first values that are kept for the next time that all rows are ranked."""
MOST_COUNTED = 255
"""Steps that are counted for a row."""


class Learned(NamedTuple):
    """What a step changed.

    Attributes:
        rows: That moved.
        dropped: Whose gradient was dropped: they are too rare to be held.
    """

    rows: int
    dropped: int


class RowStore:
    """One shard's rows of a table; not safe for threads.

    Args:
        told: The table.
        shard: Whose rows.
    """

    called = "table"

    def __init__(self, told: Table, shard: Shard) -> None:
        self.told, self.shard = told, shard
        self.own = len(range(shard.rank, told.count, shard.world))
        self._place_N = np.full(self.own, NOT_HELD, np.int32)
        self._drawn: dict[int, Tensor] = {}
        self._met_N = torch.zeros(self.own if told.admitted_after > 1 else 0, dtype=torch.uint8)
        self._clear()

    def _clear(self) -> None:
        self.held = 0
        self._number_C = torch.empty(0, dtype=torch.int64)
        self._weight_CD = torch.empty(0, self.told.width, dtype=getattr(torch, self.told.numbers))
        self._state = RowState.of(self._weight_CD)
        self._place_N.fill(NOT_HELD)

    def read(self, number_U: Tensor, *, averages_of: int | None = None) -> Tensor:
        """Return rows, (U, D).

        Args:
            number_U: int64, of this shard.
            averages_of: Their averages as of this step instead.
        """
        place_U = self._place_of(self._index(number_U))
        is_held_U = place_U != NOT_HELD
        if not (is_all := bool(is_held_U.all())):
            place_U = place_U[is_held_U]
        held_UD = self._weight_CD.index_select(0, place_U)
        if averages_of is not None:
            held_UD = caught_up(held_UD, self._state.average[place_U], self._state.moved[place_U], averages_of)
        if is_all:
            return held_UD
        row_UD = held_UD.new_empty(len(number_U), self.told.width)
        row_UD[is_held_U] = held_UD
        row_UD[~is_held_U] = self._first(number_U[~is_held_U])
        return row_UD

    def learn(self, number_U: Tensor, gradient_UD: Tensor, *, rate: float, step: int) -> Learned:
        """Take a step, see `models.rows.rules.take_step`; row `NOTHING` does not learn.

        Args:
            number_U: int64, of this shard, each once.
            gradient_UD: Of the loss.
            rate: Learning rate.
            step: How many were taken, this one among them.
        """
        is_learned_U = number_U != NOTHING
        dropped = 0
        if self.told.admitted_after > 1:
            is_admitted_U = self._admit(self._index(number_U))
            dropped = int((is_learned_U & ~is_admitted_U).sum())
            is_learned_U &= is_admitted_U
        if not is_learned_U.all():
            number_U, gradient_UD = number_U[is_learned_U], gradient_UD[is_learned_U]
        place_U = self._places(number_U)
        take_step(self._weight_CD, self._state, place_U, gradient_UD, rate=rate, decay=self.told.decay, step=step)
        return Learned(len(number_U), dropped)

    def forget(self, before: int) -> int:
        """Forget the rows that moved last before a step, and return how many these were."""
        is_kept_C = self._state.moved[: self.held, 0] >= before
        forgotten_F = self._number_C[: self.held][~is_kept_C]
        if len(forgotten_F):
            kept = {name: each[is_kept_C] for name, each in self.state().items()}
            self._clear()
            self.put(kept)
            if self.told.admitted_after > 1:
                self._met_N[self._index(forgotten_F)] = 0
        return len(forgotten_F)

    def state(self) -> dict[str, Tensor]:
        """Return all that is held, not copied: ``number``, ``weight``, and what `RowState` names; a row of each."""
        whole = {"number": self._number_C, "weight": self._weight_CD, **self._state._asdict()}
        return {name: each[: self.held] for name, each in whole.items()}

    def state_of(self, number_U: Tensor) -> dict[str, Tensor]:
        """Return what `state` does, but ``number``, of some rows; those that are not held have not learned."""
        place_U = self._place_of(self._index(number_U))
        is_held_U = place_U != NOT_HELD
        weight_UD = self.read(number_U)
        found = {"weight": weight_UD}
        for name, fresh in RowState.of(weight_UD)._asdict().items():
            fresh[is_held_U] = getattr(self._state, name)[place_U[is_held_U]]
            found[name] = fresh
        return found

    def put(self, state: Mapping[str, Tensor]) -> None:
        """Hold rows as `state` gives them, of whichever shard; those of others are passed over."""
        own_C = is_own(state["number"], self.shard)
        place_C = self._places(state["number"][own_C])
        self._weight_CD[place_C] = state["weight"][own_C]
        for name, each in self._state._asdict().items():
            each[place_C] = state[name][own_C]

    def blocks(self, *, averages_of: int) -> Blocks:
        """Yield the averages of all rows but `NOTHING` in blocks, see `models.rows.ranking.Blocks`, as counted here.

        First values never change, so those of some blocks are kept: they take longer to draw than to rank.
        """
        for start in range(0, self.own, ROWS_AT_ONCE):
            index_R = torch.arange(start, min(start + ROWS_AT_ONCE, self.own))
            is_held_R = self._place_of(index_R) != NOT_HELD
            number_R = number_of(index_R, self.shard)
            row_RD = self._first_of_block(start, number_R) if not is_held_R.all() else None
            held_RD = self.read(number_R[is_held_R], averages_of=averages_of)
            row_RD = held_RD if row_RD is None else row_RD.index_copy(0, is_held_R.nonzero()[:, 0], held_RD)
            skipped = int(start == 0 and self.shard.rank == NOTHING)
            yield start + skipped, row_RD[skipped:]

    def _first_of_block(self, start: int, number_R: Tensor) -> Tensor:
        if start in self._drawn:
            return self._drawn[start]
        row_RD = self._first(number_R)
        if (len(self._drawn) + 1) * row_RD.nbytes <= MOST_DRAWN:
            self._drawn[start] = row_RD
        return row_RD

    def has(self, number_U: Tensor) -> bool:
        """Whether these are rows of this shard, in ascending order, each once."""
        if not len(number_U):
            return True
        number = number_U.numpy()  # far less is done around each of its steps
        is_within = bool(number[0] >= 0 and number[-1] < self.told.count)
        is_own_all = self.shard.world == 1 or bool(is_own(number_U, self.shard).all())
        return is_within and is_own_all and bool((number[1:] > number[:-1]).all())

    def strangers(self, number_U: Tensor) -> Tensor:
        """Return the numbers that no row of this shard has."""
        is_own_U = (number_U >= 0) & (number_U < self.told.count) & is_own(number_U, self.shard)
        return number_U[~is_own_U]

    def _index(self, number_U: Tensor) -> Tensor:
        return index_of(number_U, self.shard)

    def _place_of(self, index_U: Tensor) -> Tensor:
        """Return where rows lie, int64; `NOT_HELD` of those that are not held."""
        return torch.from_numpy(self._place_N[index_U.numpy()]).long()

    def _first(self, number_U: Tensor) -> Tensor:
        """Draw first values, (U, D)."""
        told = self.told
        row_UD = first_values(told.seed, number_U.numpy(), told.width, told.std).to(self._weight_CD.dtype)
        row_UD[number_U == NOTHING] = 0
        return row_UD

    def _admit(self, index_U: Tensor) -> Tensor:
        """Count a step for each row, and say which are held from now on, or are already."""
        met_U = self._met_N[index_U].clamp(max=MOST_COUNTED - 1) + 1
        self._met_N[index_U] = met_U
        return (met_U >= self.told.admitted_after) | (self._place_of(index_U) != NOT_HELD)

    def _places(self, number_U: Tensor) -> Tensor:
        """Return where rows lie; those that are not held are made."""
        index_U = self._index(number_U)
        place_U = self._place_of(index_U)
        is_new_U = place_U == NOT_HELD
        if new := int(is_new_U.sum()):
            number_V = number_U[is_new_U]
            place_V = torch.arange(self.held, self.held + new)
            self._make_room(self.held + new)
            self._number_C[place_V] = number_V
            self._weight_CD[place_V] = self._first(number_V)
            for each in self._state:
                each[place_V] = 0
            self._state.average[place_V] = self._weight_CD[place_V]
            place_U[is_new_U] = place_V
            self._place_N[index_U[is_new_U].numpy()] = place_V.numpy()
            self.held += new
        return place_U

    def _make_room(self, rows: int) -> None:
        """Have room for so many rows; twice as much as before, so that it is seldom done."""
        if rows <= len(self._number_C):
            return
        room = min(max(rows, 2 * len(self._number_C), FEWEST), max(self.own, rows))
        self._number_C, self._weight_CD = _longer(self._number_C, room), _longer(self._weight_CD, room)
        self._state = RowState(*(_longer(each, room) for each in self._state))


def _longer(tensor: Tensor, rows: int) -> Tensor:
    longer = tensor.new_empty(rows, *tensor.shape[1:])
    longer[: len(tensor)] = tensor
    return longer
