"""Parcels become trips, as `tasks.preprocess.features` asks for it."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pydantic import BaseModel

from data_contracts.night import HeldOut, Night, Protocol, Validated, Window, Workspace
from data_contracts.table import Table
from tests.parcels.contracts.parcels import PARCELS
from tests.parcels.contracts.trips import TRIPS


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """There is nothing to choose."""


class ParcelFeatures:
    """The logarithm of each distance."""

    config = FeatureConfig

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
        done, transaction = trips.mark("last_day"), f"parcels@{validated.truth}"
        if not trips.consumed(transaction):
            windows = _windows(validated.window, None if done is None else date.fromordinal(done))
            parts = [
                part
                for window in windows
                for part in trips.write(_trips(parcels, validated.truth, window), f"night-{validated.truth:06}")
            ]
            marks = {"first_day": windows[-1].first_day.toordinal(), "last_day": windows[-1].last_day.toordinal()}
            trips.commit(parts, [transaction], marks=marks)
        first, last = (date.fromordinal(trips.mark(name) or 0) for name in ("first_day", "last_day"))
        versions = {"parcels": validated.truth, "trips": trips.version() or 0}
        return Night(window=Window(first_day=first, last_day=last), windows=tuple(trips.partitions()), tables=versions)


def _windows(window: Window, done: date | None) -> list[Window]:
    if done is None:
        return list(window.split(window.last_day - timedelta(days=1)))
    return [Window(first_day=done + timedelta(days=1), last_day=window.last_day)]


def _trips(parcels: Table, version: int, window: Window) -> pa.Table:
    in_it = (ds.field("day") >= window.first_day) & (ds.field("day") <= window.last_day)
    rows = parcels.read(version, columns=["distance_km", "hours"], where=in_it)
    log_km = pc.log1p(rows["distance_km"].cast(pa.float64())).cast(pa.float32())
    keys = pa.repeat(window.key, rows.num_rows)
    return pa.table({"log_km": log_km, "hours": rows["hours"], "window": keys})


FEATURES = ParcelFeatures()
