"""Build a night: its transactions become numbered parties, sums of the past, and examples, committed in this order.

Every commit consumes ``transactions@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from distributed import Client

from data_contracts.night import HeldOut, Night, Protocol, Validated, Window, Workspace
from data_contracts.risk.promises import LATER
from data_contracts.waiting import Waiting
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.labels import Due
from tasks.preprocess.risk.config import FeatureConfig
from tasks.preprocess.risk.plan import Plan, hold_out_end, one_length
from tasks.preprocess.risk.steps import (
    Order,
    count_labels,
    count_lengths,
    write_examples,
    write_parties,
    write_sums,
)
from tasks.preprocess.risk.tables import Tables
from tasks.preprocess.taken import Taken, add_up
from tasks.preprocess.truth import group_files, refuse_lost_files
from tasks.preprocess.waiting import count_waiting

ROWS_PER_TASK = 250_000
"""Transactions whose features one Dask task computes."""

Told = TypeVar("Told")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


def build_night(
    workspace: Workspace,
    validated: Validated,
    held_out: HeldOut,
    features: FeatureConfig,
    protocol: Protocol,
    cluster: str,
) -> Night:
    """Turn the transactions that are new, or became labelled, into features, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `transactions` to take, and its newest window.
        held_out: What the first night must hold out, to judge.
        features: How long labels are waited for; the same for all nights of these tables.
        protocol: `nightly`; what is known of a party goes by days.
        cluster: Address of a Dask scheduler.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    if protocol != "nightly":
        raise OtherFeaturesError(f"protocol {protocol!r} leaves days out, and features go by days. Take 'nightly'.")
    tables, days = Tables(workspace.tables), features.label_days
    tables.refuse_other(days)
    with Client(cluster, set_as_default=False) as client:
        for version in tables.nights.unfinished(validated.truth, lambda night: bool(tables.due(night, days))):
            _Night(client, workspace, version, days).build(validated.window, held_out)
    return tables.record()


class _Night:
    """One night on its way into the tables."""

    def __init__(self, client: Client, workspace: Workspace, version: int, label_days: int) -> None:
        self.client = client
        self.folder = workspace.tables
        self.day_zone = workspace.day_zone
        self.tables = Tables(workspace.tables)
        self.version = version
        self.label_days = label_days
        self.consumed = self.tables.nights.consumes(version)

    def build(self, window: Window, held_out: HeldOut) -> None:
        """Commit what is still missing of this night."""
        tables = self.tables
        refuse_lost_files(tables.transactions, self.version)
        due = tables.due(self.version, self.label_days)
        if tables.nights.begun != self.version:
            order = self._order(due, self._plan(due, window, held_out))
            tables.begin(self._call(write_parties, order), self.version, order.plan, self.label_days)
        order = self._order(due, tables.plan())
        self._commit_sums(order)
        orders, through = zip(*self._orders(order), strict=True)
        taken: list[Taken] = self.client.gather(self.client.map(write_examples, orders, through, pure=False))
        parts = add_up(due, taken, "transactions").parts
        waiting = self._waiting() if order.waits else None
        if waiting is not None:
            logger.info("by the end of %s %s", order.plan.window.last_day, waiting)
        tables.finish(parts, self.version, waiting)

    def _order(self, due: Sequence[Due], plan: Plan) -> Order:
        waits = self.tables.waits(self.version)
        return Order(self.folder, due, plan, f"night-{self.version:06}", self.day_zone, waits=waits)

    def _orders(self, order: Order) -> Iterator[tuple[Order, str]]:
        """Cut a night's work into tasks: files that one night took, and the key of its newest window."""
        by_file, night = {due.file: due for due in order.due}, defaultdict[str, dict[str, int]](dict)
        for file, key in self.tables.taken_by(order.due, order.plan.window.key).items():
            night[key][file] = by_file[file].rows
        groups = [(files, key) for key in sorted(night) for files in group_files(night[key], ROWS_PER_TASK)]
        for number, (files, key) in enumerate(groups):
            due = [by_file[file] for file in files]
            yield replace(order, due=due, name=f"{order.name}-{number:04}"), key

    def _plan(self, due: Sequence[Due], window: Window, held_out: HeldOut) -> Plan:
        lengths = self._call(count_lengths, [each.file for each in due if each.is_new])
        if self.tables.nights.done is None:
            labels = self._call(partial(count_labels, day_zone=self.day_zone), due)
            judging = hold_out_end(labels, window.last_day, held_out)
            return Plan(judging, first=True, numbers=one_length(lengths, 0))
        before = self.tables.plan()
        own = Window(first_day=before.window.last_day + timedelta(days=1), last_day=window.last_day)
        return Plan(own, first=False, numbers=one_length(lengths, before.numbers))

    def _commit_sums(self, order: Order) -> None:
        """Commit `pairs`, then `party_days`, whichever is missing."""
        both = {table.contract.name: table for table in (self.tables.pairs, self.tables.party_days)}
        missing = [name for name, table in both.items() if not table.consumed(self.consumed)]
        parts = self._call(partial(write_sums, missing=missing), order) if missing else {}
        for name in missing:
            both[name].commit(parts[name], [self.consumed])

    def _waiting(self) -> Waiting:
        """Count transactions without a label, and labels without one."""
        tables = self.tables
        ask = partial(count_waiting, tables.transactions, tables.labels, LATER, tables.nights.done)
        return self._call(partial(ask, label_days=self.label_days), self.version)

    def _call(self, step: Callable[[Told], Answer], told: Told) -> Answer:
        """Have a worker do one step."""
        answer: Answer = self.client.submit(step, told, pure=False).result()
        return answer
