"""Parcels become trips, as `tasks.preprocess.features` asks for it."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from pydantic import BaseModel

from data_contracts.days import days_of
from data_contracts.night import HeldOut, Night, Protocol, Validated, Window, Workspace
from data_contracts.reading import scan
from data_contracts.table import Table
from tasks.preprocess.labels import KNOWN_AT, Due, LabelsConfig, due_files, known, labelled
from tasks.preprocess.waiting import count_waiting
from tests.parcels.contracts.arrivals import ARRIVALS
from tests.parcels.contracts.parcels import PARCELS
from tests.parcels.contracts.promises import PROMISES
from tests.parcels.contracts.trips import TRIPS


class ParcelFeatures:
    """The logarithm of each distance, once the parcel has arrived."""

    config = LabelsConfig

    def build_night(
        self,
        workspace: Workspace,
        validated: Validated,
        held_out: HeldOut,
        features: BaseModel,
        protocol: Protocol,
        cluster: str,
    ) -> Night:
        """Commit the new window; the first night's last day judges, those before it are learned from."""
        parcels, trips = Table(workspace.tables, PARCELS), Table(workspace.tables, TRIPS)
        done, transaction = trips.mark("parcels"), f"parcels@{validated.truth}"
        if not trips.consumed(transaction):
            last_day = trips.mark("last_day")
            windows = _windows(validated.window, None if last_day is None else date.fromordinal(last_day))
            days = LabelsConfig.model_validate(features.model_dump()).label_days
            arrivals = Table(workspace.tables, ARRIVALS)
            due = due_files(parcels, arrivals, done, validated.truth, days)
            rows = pl.concat([_trips(file, windows, workspace.day_zone) for file in due])
            parts = trips.write(rows.to_arrow(), f"night-{validated.truth:06}")
            marks = {"first_day": windows[-1].first_day.toordinal(), "last_day": windows[-1].last_day.toordinal()}
            promised = PROMISES.labels
            assert promised is not None
            waiting = count_waiting(parcels, arrivals, promised, done, validated.truth, days)
            marks |= waiting.model_dump() | {"parcels": validated.truth}
            trips.commit(parts, [transaction], marks=marks)
        first, last = (date.fromordinal(trips.mark(name) or 0) for name in ("first_day", "last_day"))
        versions = {"parcels": validated.truth, "trips": trips.version() or 0}
        return Night(window=Window(first_day=first, last_day=last), windows=tuple(trips.partitions()), tables=versions)


def _windows(window: Window, done: date | None) -> list[Window]:
    if done is None:
        return list(window.split(window.last_day - timedelta(days=1)))
    return [Window(first_day=done + timedelta(days=1), last_day=window.last_day)]


def _trips(due: Due, windows: list[Window], day_zone: str) -> pl.DataFrame:
    """Return the parcels of a file whose arrival is known since the last night; what came late is the newest's."""
    promised = PROMISES.labels
    assert promised is not None
    rows = labelled(scan([due.file], PARCELS), known(due, promised), due, promised, "sent_at")
    arrived = rows.filter(pl.col(KNOWN_AT).is_not_null()).collect()
    day, newest = days_of(pl.col(KNOWN_AT), day_zone), windows[-1]
    key = pl.when(day < newest.first_day).then(pl.lit(windows[0].key)).otherwise(pl.lit(newest.key))
    return arrived.select(log_km=(pl.col("distance_km") + 1).log().cast(pl.Float32), hours="hours", window=key)


FEATURES = ParcelFeatures()
