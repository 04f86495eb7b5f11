"""Build a night: characters or subwords get numbers, documents become numbers; committed in this order.

Both commits consume ``documents@<version>``, so a night that runs again does only what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from functools import partial

from distributed import Client

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.cluster import on_workers
from tasks.preprocess.errors import OtherFeaturesError, RowsLostError
from tasks.preprocess.language.config import FeatureConfig
from tasks.preprocess.language.cut import Order, count_characters, cut_file
from tasks.preprocess.language.numbering import Characters, number_pairs, number_symbols, together
from tasks.preprocess.language.subwords import SAMPLE, Draw, drawn, learn
from tasks.preprocess.language.tables import Tables
from tasks.preprocess.plan import OfDay, Plan
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
    """Turn the documents that are new into examples, and return the night's record.

    A night that is done changes nothing and returns its record; one that was broken off is finished first, as it was
    planned then.

    Args:
        workspace: Whose tables.
        validated: The version of `documents` to take.
        held_out: What the first night must hold out, to judge: documents, and characters in them.
        features: What documents are made to; the same for all nights of these tables.
        protocol: Documents have no `leave_one_out`.
        cluster: Address of a Dask scheduler.

    Raises:
        PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
    """
    if protocol != "nightly":
        raise OtherFeaturesError(f"protocol {protocol!r} is for sequences by user. Set protocol: nightly.")
    tables = Tables(workspace.tables)
    tables.refuse_other(features)
    with Client(cluster, set_as_default=False) as client:
        for documents in tables.nights.unfinished(validated.truth):
            due = tables.due(documents)
            if tables.nights.begun != documents:
                _begin(client, tables, due, documents, features, held_out, workspace.day_zone)
            _finish(client, tables, due, documents, features, workspace.day_zone)
    return tables.record()


def _begin(
    client: Client,
    tables: Tables,
    due: Mapping[str, int],
    documents: int,
    features: FeatureConfig,
    held_out: HeldOut,
    day_zone: str,
) -> None:
    """Say which window takes which documents, number the new symbols, and commit both."""
    counted = on_workers(client, partial(count_characters, day_zone=day_zone), sorted(due))
    days, characters = together(counted)
    plan = tables.next_plan(documents, days, held_out, "documents")
    if features.vocabulary is not None and plan.first:
        pairs = _learn_pairs(client, due, days, plan, features.vocabulary, day_zone)
        new = number_pairs(pairs, plan.keys[0])
    else:
        met: Characters = characters if features.tokens == "characters" else {}
        new = number_symbols(met, plan, tables.numbered())
    name, through = f"night-{documents:06}", plan.window.last_day
    write = partial(write_checked, tables.symbols, name=name, through=through, day_zone=day_zone)
    (parts,) = on_workers(client, write, [new])
    tables.begin(parts, documents, plan, features)
    logger.info("%s new symbols: %r", f"{new.height:,}", "".join(new["symbol"].head(40)))


def _learn_pairs(
    client: Client,
    due: Mapping[str, int],
    days: Mapping[date, OfDay],
    plan: Plan,
    vocabulary: int,
    day_zone: str,
) -> list[str]:
    """Learn subwords from documents of the past: drawn on the workers, put together here."""
    there = sum(own.targets for day, own in days.items() if plan.of(day) != plan.window.key)
    draws = [Draw(file, plan, SAMPLE / max(there, 1), day_zone) for file in sorted(due)]
    texts = set().union(*on_workers(client, drawn, draws))
    logger.info("subwords are learned from %s documents", f"{len(texts):,}")
    return learn(texts, vocabulary)


def _finish(
    client: Client, tables: Tables, due: Mapping[str, int], documents: int, features: FeatureConfig, day_zone: str
) -> None:
    """Number every text on the workers, see that none was lost, and commit them."""
    plan, symbols, name = tables.plan(), tables.spelled(), f"night-{documents:06}"
    orders = [
        Order(file, rows, plan, day_zone, tables.folder, f"{name}-{number:05}", features.tokens, symbols)
        for number, (file, rows) in enumerate(sorted(due.items()))
    ]
    parts = [part for own in on_workers(client, cut_file, orders) for part in own]
    wanted, written = sum(due.values()), sum(part.rows for part in parts)
    if wanted != written:
        raise RowsLostError(
            f"{wanted:,} documents were to be taken, {written:,} examples were written. No features were published. "
            "Start the night again; if it stays, this is a fault of the program."
        )
    logger.info("%s documents are examples", f"{written:,}")
    tables.finish(parts, documents)
