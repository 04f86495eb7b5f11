"""Build a night: labels get numbers, pictures become pixels; committed in this order.

Both commits consume ``images@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from functools import partial

from distributed import Client

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.cluster import on_workers
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.labels import Due
from tasks.preprocess.plan import OfDay
from tasks.preprocess.vision.config import FeatureConfig
from tasks.preprocess.vision.cut import Order, count_labels, cut_file
from tasks.preprocess.vision.numbering import number_classes
from tasks.preprocess.vision.tables import Tables
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
    """Turn the images that are new into examples, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `images` to take.
        held_out: What the first night must hold out, to judge.
        features: What images are made to; the same for all nights of these tables.
        protocol: Images have no `leave_one_out`.
        cluster: Address of a Dask scheduler.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    if protocol != "nightly":
        raise OtherFeaturesError(f"protocol {protocol!r} is for sequences, images have none. Set protocol: nightly.")
    tables = Tables(workspace.tables)
    tables.refuse_other(features)
    with Client(cluster, set_as_default=False) as client:
        for images, due in tables.unfinished(validated.truth, features.label_days):
            if tables.nights.begun != images:
                _begin(client, tables, due, images, features, held_out, workspace.day_zone)
            classes = dict(tables.numbered().iter_rows())
            places = tables.destinations(due, images, workspace.day_zone)
            orders = [Order(file, to, classes, features) for file, to in zip(due, places, strict=True)]
            taken = on_workers(client, cut_file, orders)
            tables.finish(client, due, taken, images, features.label_days)
    return tables.record()


def _begin(
    client: Client,
    tables: Tables,
    due: Sequence[Due],
    images: int,
    features: FeatureConfig,
    held_out: HeldOut,
    day_zone: str,
) -> None:
    """Say which window takes which images, number the new classes, and commit both."""
    labels: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for counts in on_workers(client, partial(count_labels, day_zone=day_zone), due):
        for (day, label), count in counts.items():
            labels[day][label] += count
    days = {day: OfDay(counts.total(), counts.total()) for day, counts in labels.items()}
    plan = tables.next_plan(images, days, held_out, "labelled images")
    new = number_classes(labels, plan, tables.numbered())
    name, through = f"night-{images:06}", plan.window.last_day
    write = partial(write_checked, tables.first, name=name, through=through, day_zone=day_zone)
    (parts,) = on_workers(client, write, [new])
    tables.begin(parts, images, plan, features)
    logger.info("%s new classes: %s", f"{new.height:,}", ", ".join(new["label"].head(20)))
