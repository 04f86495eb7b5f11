"""Build a night: its new events become numbered items, counts, examples and state, committed in this order.

Every commit consumes ``events@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TypeVar

from distributed import Client

from data_contracts.buckets import Buckets, buckets_of, weight_of
from data_contracts.night import HeldOut, Night, Protocol, Validated, Window, Workspace
from data_contracts.recommender.state import MAX_SEEN
from data_contracts.staging import clear
from tasks.cluster import on_workers
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import refuse_loss, total
from tasks.preprocess.recommender.plan import Plan, add_days, hold_out_end
from tasks.preprocess.recommender.ranges import ROWS_PER_TASK, Range, ranges
from tasks.preprocess.recommender.refuse import refuse_other_protocol
from tasks.preprocess.recommender.state import rewrite_state
from tasks.preprocess.recommender.steps import (
    Order,
    Survey,
    Surveyed,
    cut_range,
    survey_range,
    write_item_counts,
    write_items,
)
from tasks.preprocess.recommender.tables import USERS, Tables
from tasks.preprocess.refuse import refuse_other_features
from tasks.preprocess.truth import refuse_lost_files
from tasks.preprocess.write import count_values

WEIGHED = {"examples": "target", "state": "user_id"}
"""Column whose values are counted in the files of a table before its commit."""

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


def build_night(
    workspace: Workspace,
    validated: Validated,
    held_out: HeldOut,
    features: FeatureConfig,
    protocol: Protocol,
    cluster: str,
    *,
    rows_per_task: int = ROWS_PER_TASK,
) -> Night:
    """Turn the events that are new into features, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `events` to take, and its newest window.
        held_out: What the first night must hold out, to judge.
        features: How examples are cut; the same for all nights of these tables.
        protocol: `leave_one_out` takes empty tables only.
        cluster: Address of a Dask scheduler.
        rows_per_task: Events, new and remembered, that one Dask task is to hold in memory; it holds twice as many at
            most, whatever single users did. Only under `leave_one_out` a user is never parted.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    tables = Tables(workspace.tables)
    refuse_other_features(tables.examples, features.model_dump())
    refuse_other_protocol(tables, validated.truth, protocol)
    with Client(cluster, set_as_default=False) as client:
        if tables.state.version() is None:  # what older code wrote says which nights are done
            rewrite_state(client, tables, features, rows_per_task)
        has_new = partial(tables.has_new, protocol=protocol)
        for events in tables.nights.unfinished(validated.truth, has_new):
            staging = posixpath.join(workspace.staging, f"preprocess-{events:06}")
            night = _NightBuilder(client, tables, staging, features, events, rows_per_task, workspace.day_zone)
            night.build(validated.window, held_out, protocol)
    return tables.record()


@dataclass(frozen=True)
class _NightBuilder:
    """One night on its way into the tables.

    Attributes:
        staging: URI of a folder of this night's own.
        events: Version of table `events` that is taken.
        rows_per_task: See `build_night`.
        day_zone: Zone whose days windows are cut by.
    """

    client: Client
    tables: Tables
    staging: str
    features: FeatureConfig
    events: int
    rows_per_task: int
    day_zone: str

    def build(self, window: Window, held_out: HeldOut, protocol: Protocol) -> None:
        """Commit what is still missing of this night."""
        refuse_lost_files(self.tables.events, self.events)
        rewrite_state(self.client, self.tables, self.features, self.rows_per_task)
        files = self.tables.new_files(self.events, protocol)
        with self._own_folder():
            surveyed = self._survey(files, protocol)
            if self.tables.nights.begun == self.events:
                plan = self.tables.plan()
            else:
                plan = self._plan(surveyed, window, protocol, held_out)
            name = f"night-{self.events:06}"
            order = Order(
                plan, self.tables.folder, self._items(), name, self.features, self.rows_per_task, self.day_zone
            )
            self._commit_items(order, [each.counts for each in surveyed])
            self._commit_cut(replace(order, items=self._items()), files, surveyed)

    def _items(self) -> tuple[str, ...]:
        return tuple(sorted(self.tables.items.file_rows()))

    @contextmanager
    def _own_folder(self) -> Iterator[None]:
        """Remove what a crash left in staging, and what this night leaves there."""
        clear(self.staging)
        try:
            yield
        finally:
            clear(self.staging)

    def _survey(self, files: Mapping[str, int], protocol: Protocol) -> list[Surveyed]:
        """Look through the night's events."""
        by_day = self.tables.nights.done is None and protocol == "nightly"
        survey = partial(survey_range, survey=Survey(self.staging, self.day_zone, protocol, by_day))
        surveyed = self._map(survey, self._ranges(files))
        logger.info(
            "%s new events of %s users", f"{sum(files.values()):,}", f"{sum(each.users for each in surveyed):,}"
        )
        return surveyed

    def _ranges(
        self,
        files: Mapping[str, int],
        state: Mapping[str, int] | None = None,
        remembered: Mapping[Buckets, int] | None = None,
    ) -> list[Range]:
        workers = len(self.client.nthreads())
        return ranges(files, self.rows_per_task, workers, state=state, remembered=remembered)

    def _plan(self, surveyed: Sequence[Surveyed], window: Window, protocol: Protocol, held_out: HeldOut) -> Plan:
        first = self.tables.nights.done is None
        if not first:
            window = Window(first_day=self.tables.plan().window.last_day + timedelta(days=1), last_day=window.last_day)
        elif protocol == "nightly":
            days = add_days([each.days for each in surveyed if each.days is not None])
            window = hold_out_end(days, window.last_day, held_out)
        else:  # every event counts, those of a last day that is not complete too
            last_day = max(date.fromisoformat(day) for day in self.tables.events.partitions(self.events))
            window = Window(first_day=window.first_day, last_day=max(window.last_day, last_day))
        return Plan(window, first, protocol)

    def _commit_items(self, order: Order, counts: Sequence[str]) -> None:
        """Number the new items and commit them with the plan; then commit how often each item was met."""
        items, item_counts, consumed = (
            self.tables.items,
            self.tables.item_counts,
            self.tables.nights.consumes(self.events),
        )
        if not items.consumed(consumed):
            parts = self._call(write_items, counts, order)
            self.tables.commit_items(parts, self.events, order.plan)
            order = replace(order, items=self._items())
            logger.info("%s new items", f"{sum(part.rows for part in parts):,}")
        if not item_counts.consumed(consumed):
            item_counts.commit(self._call(write_item_counts, counts, order), [consumed])

    def _commit_cut(self, order: Order, files: Mapping[str, int], surveyed: Sequence[Surveyed]) -> None:
        """Cut every range, see that no event was lost, and commit `examples`, then `state`."""
        consumed = self.tables.nights.consumes(self.events)
        tables = {table.contract.name: table for table in (self.tables.examples, self.tables.state)}
        missing = [name for name, table in tables.items() if not table.consumed(consumed)]
        cut = partial(cut_range, order=order, write=missing)
        state = self.tables.state.file_rows()
        cuts = self._map(cut, self._ranges(files, state, self._remembered(surveyed, state)))
        windows = total(cut.counts for cut in cuts)
        for window, counts in windows.items():
            logger.info("window %s: %s", window, counts)
        parts = {name: [part for cut in cuts for part in cut.parts[name]] for name in missing}
        refuse_loss(
            rows=sum(files.values()),
            newcomers=sum(cut.newcomers for cut in cuts),
            windows=windows,
            written={name: count_values(tables[name], parts[name], WEIGHED[name]) for name in missing},
        )
        users = self.tables.users() + sum(cut.newcomers for cut in cuts)
        of_state = {"events": self.events, USERS: users, MAX_SEEN: self.features.max_seen}
        marks = {"examples": self.features.model_dump(), "state": of_state}
        for name in missing:
            tables[name].commit(parts[name], [consumed], marks=marks[name])

    def _remembered(self, surveyed: Sequence[Surveyed], state: Mapping[str, int]) -> dict[Buckets, int]:
        """Return how many events tonight's users may have in the files of `state`, at most, by the files' buckets."""
        users, length = {each.buckets: each.users for each in surveyed}, self.features.max_length
        rows = Counter[Buckets]()
        for file, known in state.items():
            rows[buckets_of(file)] += known
        return {own: min(round(weight_of(own, users)), known) * length for own, known in rows.items()}

    def _map(self, function: Callable[[Range], Answer], asked: Sequence[Range]) -> list[Answer]:
        """Call ``function`` with every range, on the cluster."""
        return on_workers(self.client, function, asked)

    def _call(self, function: Callable[[Sequence[str], Order], Answer], counts: Sequence[str], order: Order) -> Answer:
        """Call ``function`` once, on the cluster."""
        answer: Answer = self.client.submit(function, counts, order, pure=False).result()
        return answer
