"""Build a night: its transactions become numbered parties, sums of the past, and examples, committed in this order.

Every commit consumes ``transactions@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from distributed import Client

from data_contracts.night import HeldOut, Night, Protocol, Validated, Window, Workspace
from data_contracts.risk.numbers import NUMBERS
from data_contracts.table import Part
from tasks.preprocess.errors import OtherFeaturesError, RowsLostError
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
from tasks.preprocess.truth import group_files, refuse_lost_files

ROWS_PER_TASK = 250_000
"""Transactions whose features one Dask task computes."""

Told = TypeVar("Told")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


def build_night(
    workspace: Workspace, validated: Validated, held_out: HeldOut, protocol: Protocol, cluster: str
) -> Night:
    """Turn the transactions that are new into features, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `transactions` to take, and its newest window.
        held_out: What the first night must hold out, to judge.
        protocol: `nightly`; what is known of a party goes by days.
        cluster: Address of a Dask scheduler.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    if protocol != "nightly":
        raise OtherFeaturesError(f"protocol {protocol!r} leaves days out, and features go by days. Take 'nightly'.")
    tables = Tables(workspace.tables)
    with Client(cluster, set_as_default=False) as client:
        for version in tables.nights.unfinished(validated.truth):
            _Night(client, workspace, version).build(validated.window, held_out)
    return tables.record()


class _Night:
    """One night on its way into the tables."""

    def __init__(self, client: Client, workspace: Workspace, version: int) -> None:
        self.client = client
        self.folder = workspace.tables
        self.day_zone = workspace.day_zone
        self.tables = Tables(workspace.tables)
        self.version = version
        self.consumed = self.tables.nights.consumes(version)

    def build(self, window: Window, held_out: HeldOut) -> None:
        """Commit what is still missing of this night."""
        tables, name = self.tables, f"night-{self.version:06}"
        refuse_lost_files(tables.transactions, self.version)
        files = tables.nights.new_files(self.version)
        if tables.nights.begun != self.version:
            order = Order(self.folder, sorted(files), self._plan(sorted(files), window, held_out), name, self.day_zone)
            tables.begin(self._call(write_parties, order), self.version, order.plan)
        order = Order(self.folder, sorted(files), tables.plan(), name, self.day_zone)
        self._commit_sums(order)
        groups = [
            replace(order, files=group, name=f"{name}-{number:04}")
            for number, group in enumerate(group_files(files, ROWS_PER_TASK))
        ]
        written: list[list[Part]] = self.client.gather(self.client.map(write_examples, groups, pure=False))
        parts = [part for of_group in written for part in of_group]
        _refuse_loss(sum(files.values()), sum(part.rows for part in parts))
        marks = {**tables.nights.end(self.version), NUMBERS.name: order.plan.numbers}
        tables.examples.commit(parts, [self.consumed], marks=marks)
        logger.info("%s transactions in %s", f"{sum(files.values()):,}", order.plan.window)

    def _plan(self, files: list[str], window: Window, held_out: HeldOut) -> Plan:
        lengths = self._call(count_lengths, files)
        if self.tables.nights.done is None:
            labels = self._call(partial(count_labels, day_zone=self.day_zone), files)
            judging = hold_out_end(labels, window.last_day, held_out)
            return Plan(judging, first=True, numbers=one_length(lengths, 0))
        before = self.tables.plan()
        own = Window(first_day=before.window.last_day + timedelta(days=1), last_day=window.last_day)
        return Plan(own, first=False, numbers=one_length(lengths, before.numbers))

    def _commit_sums(self, order: Order) -> None:
        """Commit `pairs`, then `party_days`, whichever is missing."""
        missing = [table for table in (self.tables.pairs, self.tables.party_days) if not table.consumed(self.consumed)]
        parts = self._call(write_sums, order) if missing else {}
        for table in missing:
            table.commit(parts[table.contract.name], [self.consumed])

    def _call(self, step: Callable[[Told], Answer], told: Told) -> Answer:
        """Have a worker do one step."""
        answer: Answer = self.client.submit(step, told, pure=False).result()
        return answer


def _refuse_loss(taken: int, written: int) -> None:
    """See that every transaction became an example.

    Raises:
        RowsLostError: It did not.
    """
    if taken != written:
        raise RowsLostError(
            f"{taken:,} transactions were taken, and {written:,} examples written of them. The examples were not "
            "published. Run the night again; if it stays, this is a fault of the program."
        )
