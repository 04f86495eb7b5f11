"""Weights on disk, nothing that runs code when read.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`model.safetensors`     the tensors
`rows-*.safetensors`    the items' rows, where a training had them in shards: a file of each, see `models.rows.files`
`model.json`            what answering needs to know of them, see `models.recommender.record`
`training.json`         the settings that they were trained under, for people and for the next training
======================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_contracts.bundle import FORMAT, TRAINING
from data_contracts.job import Config
from models.recommender.config import RecommenderConfig
from models.recommender.network import SequenceNetwork, new_rows
from models.recommender.record import RECORD, ModelRecord, Shape, read_record
from models.rows.table import Rows
from models.rows.weights import Saved, copy_saved, save_tensors

ITEM_ROWS = "embedding.item.weight"
"""The one tensor with a row an item, 1..N, after padding's row 0."""

LONGEST_TIMED = 1_000
"""Longest history whose pairs of items are compared: a million pairs a row, in some tensors of each block."""


@dataclass(frozen=True)
class Ready:
    """A network that answers.

    Attributes:
        network: Knows items 1..``network.items``; on the CPU, dropout off. Rows that are in shards stay on disk.
        exclude_seen: Whether what a user had before is left out of answers.
    """

    network: SequenceNetwork
    exclude_seen: bool


@dataclass(frozen=True)
class Weights:
    """A network and the settings it is trained under.

    Attributes:
        network: Knows items 1..``network.items``.
        config: Under which it was trained.
        features: `features` settings of the tables it was trained on; ``max_length`` is the network's.
    """

    network: SequenceNetwork
    config: RecommenderConfig
    features: Config


def new_network(
    items: int, config: RecommenderConfig, features: Config, make: Callable[..., Rows] = Rows
) -> SequenceNetwork:
    """Make a network with fresh weights for items 1..``items``; ``make`` makes a table of their rows.

    Raises:
        ValueError: Histories are too long for its blocks.
    """
    length = max_length(features)
    if config.network.knows_times and length > LONGEST_TIMED:
        raise ValueError(
            f"features.max_length is {length:,}, and model.network.kind: hstu compares all pairs of a history's items: "
            f"it is for {LONGEST_TIMED:,} at most. Take kind: sasrec, or a shorter history."
        )
    item = new_rows(items, config.network, config.fit.seed, make)
    return SequenceNetwork(items, length, config.network, item)


def max_length(features: Config) -> int:
    """Return L of ``features``: the longest history that is read.

    Raises:
        ValueError: They do not say a positive one.
    """
    length = features.get("max_length")
    if not isinstance(length, int) or length < 1:
        raise ValueError(f"features.max_length is {length!r}; wanted a positive number of events.")
    return length


def save(weights: Weights, folder: Path) -> None:
    """Write ``weights`` into ``folder``, which is made; a tensor that layers share is written once.

    Where each process has some of the rows, all call this: each writes its own, the first everything else.
    """
    item = weights.network.item
    assert isinstance(item, Rows)
    if not save_tensors(dict(weights.network.named_parameters()), item, ITEM_ROWS, folder):
        return
    record = ModelRecord(
        format=FORMAT,
        network=Shape.model_validate(weights.config.network.model_dump()),
        max_length=weights.network.max_length,
        known_items=weights.network.items,
        exclude_seen=weights.config.exclude_seen,
        shards=item.shard.world,
    )
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")
    settings = {"format": FORMAT, "model": weights.config.model_dump(mode="json"), "features": weights.features}
    (folder / TRAINING).write_text(json.dumps(settings, indent=2), encoding="utf-8")


def load(folder: Path) -> Ready:
    """Read weights, ready to score.

    Raises:
        BundleFormatError: They are of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: The tensors are not those that its ``model.json`` describes.
    """
    record = read_record(folder)
    item = _saved(record, folder).on_disk()
    network = SequenceNetwork(record.known_items, record.max_length, record.network, item)
    copy_into(network, folder)
    return Ready(network.eval(), record.exclude_seen)


def copy_into(network: SequenceNetwork, folder: Path) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; items it knows beyond them keep their rows.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape; the message lists all of them.
    """
    copy_saved(dict(network.named_parameters()), network.item, _saved(read_record(folder), folder))


def _saved(record: ModelRecord, folder: Path) -> Saved:
    return Saved(folder, ITEM_ROWS, record.known_items + 1, record.network.width, record.shards)
