"""Everything that a shard holds, by name. Shape letters: U rows of a step, D width, P numbers of a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from models.distributed.parameter_server.declared import Layers, Table
from models.distributed.parameter_server.errors import NotFiniteError, RefusedError
from models.distributed.parameter_server.gathered import Gradient, Gradients, Wanted
from models.distributed.parameter_server.layers import LayerStore
from models.distributed.parameter_server.rows import Learned, RowStore
from models.rows.shard import Shard

Kind = TypeVar("Kind", RowStore, LayerStore)
MOST_NAMED = 5
"""Rows that a message names."""


class Stores:
    """Tables and layers; not safe for threads.

    Args:
        shard: Whose.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._by_name: dict[str, RowStore | LayerStore] = {}

    def declare(self, told: Table | Layers) -> None:
        """Hold a table, or a piece of layers; again is the same as once.

        Raises:
            RefusedError: It holds another one of this name.
        """
        there = self._by_name.get(told.name)
        if there is None:
            self._by_name[told.name] = (
                RowStore(told, self.shard) if isinstance(told, Table) else LayerStore(told, self.shard)
            )
        elif there.told != told:
            raise RefusedError(f"{told.name!r} is held as {there.told!r}, and asked for as {told!r}.")

    def __getitem__(self, name: str) -> RowStore | LayerStore:
        """Return one of them."""
        return self._by_name[name]

    def of(self, kind: type[Kind], name: str) -> Kind:
        """Return a table (`RowStore`), or layers (`LayerStore`).

        Raises:
            RefusedError: There is nothing of this kind and name.
        """
        store = self._by_name.get(name)
        if not isinstance(store, kind):
            raise RefusedError(f"{name!r} is no {kind.called} of this shard.")
        return store

    def __iter__(self) -> Iterator[str]:
        """Yield their names."""
        return iter(self._by_name)

    @property
    def held(self) -> int:
        """Return how many rows take room."""
        return sum(each.held for each in self._by_name.values() if isinstance(each, RowStore))

    def read(self, wanted: Wanted, *, averages_of: int | None = None) -> dict[str, Tensor]:
        """Return parameters, or their averages as of a step: name to (U, D), or (P,).

        Raises:
            RefusedError: There is no such table, or row; all problems are listed.
        """
        wrong = (each for name, number_U in wanted.items() for each in self._no(name, number_U))
        self._refuse("nothing was read", wrong)
        found: dict[str, Tensor] = {}
        for name, number_U in wanted.items():
            store = self._by_name[name]
            if isinstance(store, LayerStore):
                found[name] = store.read(averages=averages_of is not None)
            else:
                assert number_U is not None
                found[name] = store.read(number_U, averages_of=averages_of)
        return found

    def learn(self, gradients: Gradients, *, factor: float, step: int) -> Learned:
        """Take a step, with gradients that were checked, scaled by a factor; ``step`` counts from 1."""
        rows = dropped = 0
        for name, (value, number_U, rate) in gradients.items():
            store = self._by_name[name]
            if isinstance(store, LayerStore):
                store.learn(_scaled(value, factor), rate=rate, step=step)
            else:
                assert number_U is not None
                learned = store.learn(number_U, _scaled(value, factor), rate=rate, step=step)
                rows, dropped = rows + learned.rows, dropped + learned.dropped
        return Learned(rows, dropped)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return a copy of everything, by name; see `RowStore.state` and `LayerStore.state`."""
        return {
            name: {each: value.clone() for each, value in store.state().items()}
            for name, store in self._by_name.items()
        }

    def put(self, name: str, tensors: Mapping[str, Tensor], first: int) -> None:
        """See `ParameterShard.put`.

        Raises:
            RefusedError: There is nothing of this name, or no such row in the whole table.
        """
        store = self._by_name.get(name)
        if isinstance(store, LayerStore):
            store.put(tensors, first)
            return
        rows, number_U = self.of(RowStore, name), tensors["number"]
        if len(stranger_S := number_U[(number_U < 0) | (number_U >= rows.told.count)]):
            raise RefusedError(f"{name!r} has {rows.told.count:,} rows, and none with number {_named(stranger_S)}.")
        rows.put(tensors)

    def forget(self, before: int) -> int:
        """Forget the rows that moved last before a step, and return how many these were."""
        return sum(each.forget(before) for each in self._by_name.values() if isinstance(each, RowStore))

    def check(self, gradients: Gradients) -> None:
        """See that gradients can be learned from.

        Raises:
            RefusedError: They cannot; every problem is listed, with the rows.
        """
        wrong = (each for name in gradients for each in self._wrong(name, gradients[name]))
        self._refuse("nothing was learned", wrong)
        endless = (each for name in gradients for each in self._endless(name, gradients[name]))
        self._refuse("nothing was learned", endless, NotFiniteError)

    def check_rows(self, name: str, number_U: Tensor | None) -> None:
        """See that there is such a table, or such layers, and such rows of it.

        Raises:
            RefusedError: There is not.
        """
        self._refuse("nothing was done", self._no(name, number_U))

    def _refuse(self, what: str, problems: Iterable[str], kind: type[RefusedError] = RefusedError) -> None:
        if found := list(problems):
            listed = "\n  - ".join(found)
            said = f"{len(found)} problem{'s' if len(found) > 1 else ''}"
            raise kind(f"shard {self.shard.rank} of {self.shard.world} refuses, {said}, {what}:\n  - {listed}")

    def _wrong(self, name: str, gradient: Gradient) -> Iterator[str]:
        value, number_U, _ = gradient
        absent = list(self._no(name, number_U))
        yield from absent
        if absent:
            return
        store = self._by_name[name]
        wanted = (len(store.own),) if isinstance(store, LayerStore) else (len(_there(number_U)), store.told.width)
        seen = str(value.dtype).removeprefix("torch.")
        if tuple(value.shape) != wanted or seen != store.told.numbers:
            yield f"{name!r}: {seen} {tuple(value.shape)}, wanted {store.told.numbers} {wanted}"

    def _endless(self, name: str, gradient: Gradient) -> Iterator[str]:
        """Say which rows have a gradient that is no number."""
        store, (value, number_U, _) = self._by_name[name], gradient
        if value.sum().isfinite():  # one that is not would be in it
            return
        is_number = value.isfinite()
        if is_number.all():
            return
        if isinstance(store, LayerStore):
            yield f"{name!r}: {int((~is_number).sum()):,} of its gradient's numbers are not finite"
        else:
            yield f"{name!r}: not finite is the gradient of row {_named(_there(number_U)[~is_number.all(dim=1)])}"

    def _no(self, name: str, number_U: Tensor | None) -> Iterator[str]:
        """Say what is wrong with a name, and with numbers of rows."""
        store = self._by_name.get(name)
        if store is None:
            yield f"{name!r}: it holds {', '.join(map(repr, sorted(self))) or 'nothing'}"
        elif isinstance(store, LayerStore):
            if number_U is not None:
                yield f"{name!r}: layers have no rows"
        elif number_U is None or number_U.dtype != torch.int64 or number_U.ndim != 1:
            yield f"{name!r}: numbers of rows are wanted, int64, in one dimension"
        elif not store.has(number_U):
            if len(stranger_S := store.strangers(number_U)):
                yield f"{name!r}: it does not have row {_named(stranger_S)}"
            if len(wrong_W := number_U[1:][number_U[1:] <= number_U[:-1]]):
                yield f"{name!r}: out of order, or there twice, is row {_named(wrong_W)}"


def _scaled(value: Tensor, factor: float) -> Tensor:
    return value if factor == 1 else value * factor


def _there(number_U: Tensor | None) -> Tensor:
    assert number_U is not None
    return number_U


def _named(number_U: Tensor) -> str:
    more = len(number_U) - MOST_NAMED
    return ", ".join(map(str, number_U[:MOST_NAMED].tolist())) + (f" and {more:,} more" if more > 0 else "")
