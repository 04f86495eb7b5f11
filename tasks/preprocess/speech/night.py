"""Build a night: characters get numbers, sounds become log-mel frames; committed in this order.

Both commits consume ``recordings@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from distributed import Client

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.cluster import on_workers
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.labels import Due
from tasks.preprocess.language.numbering import number_symbols, together
from tasks.preprocess.speech.config import FeatureConfig
from tasks.preprocess.speech.cut import Order, count_characters, cut_file
from tasks.preprocess.speech.tables import Tables
from tasks.preprocess.write import write_checked

logger = logging.getLogger(__name__)


def build_night(
    workspace: Workspace,
    validated: Validated,
    held_out: HeldOut,
    features: FeatureConfig,
    protocol: Protocol,
    cluster: str,
) -> Night:
    """Turn the recordings that are new into examples, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `recordings` to take.
        held_out: What the first night must hold out, to judge: recordings, and characters that are said in them.
        features: What recordings are made to; the same for all nights of these tables.
        protocol: Recordings have no `leave_one_out`.
        cluster: Address of a Dask scheduler.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    if protocol != "nightly":
        raise OtherFeaturesError(f"protocol {protocol!r} is for sequences by user. Set protocol: nightly.")
    tables = Tables(workspace.tables)
    tables.refuse_other(features)
    with Client(cluster, set_as_default=False) as client:
        for recordings, due in tables.unfinished(validated.truth, features.label_days):
            if tables.nights.begun != recordings:
                _begin(client, tables, due, recordings, features, held_out, workspace.day_zone)
            places = tables.destinations(due, recordings, workspace.day_zone)
            orders = [Order(file, to, features) for file, to in zip(due, places, strict=True)]
            taken = on_workers(client, cut_file, orders)
            tables.finish(client, due, taken, recordings, features.label_days)
    return tables.record()


def _begin(
    client: Client,
    tables: Tables,
    due: Sequence[Due],
    recordings: int,
    features: FeatureConfig,
    held_out: HeldOut,
    day_zone: str,
) -> None:
    """Say which window takes which recordings, number the new characters, and commit both."""
    counted = on_workers(client, partial(count_characters, day_zone=day_zone), due)
    days, characters = together(counted)
    plan = tables.next_plan(recordings, days, held_out, "transcribed recordings")
    new = number_symbols(characters, plan, tables.numbered())
    name, through = f"night-{recordings:06}", plan.window.last_day
    write = partial(write_checked, tables.first, name=name, through=through, day_zone=day_zone)
    (parts,) = on_workers(client, write, [new])
    tables.begin(parts, recordings, plan, features)
    logger.info("%s new characters: %r", f"{new.height:,}", "".join(new["symbol"].head(40)))
