"""Weights on disk, nothing that runs code when read.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`model.safetensors`     the tensors
`model.json`            what answering needs to know of them; older formats are read, see `ModelRecord`
`training.json`         the settings that they were trained under, for people and for the next training
======================  ==================================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.bundle import FORMAT, TRAINING, in_todays_format
from data_contracts.job import Config
from models.recommender.config import NetworkConfig, RecommenderConfig
from models.recommender.network import SasRec
from models.weights import copy_rows

TENSORS = "model.safetensors"
RECORD = "model.json"
ITEM_ROWS = "embedding.item.weight"
"""The one tensor with a row an item, 1..N, after padding's row 0."""


class Shape(NetworkConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""

    kind: Literal["sasrec", "distances"]  # type: ignore[assignment]  # of all networks that answer


class ModelRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it: all that answering needs, in format `FORMAT`.

    Attributes:
        format: Of the bundle. In the first one, the whole of `RecommenderConfig` and the features stood here.
        use_case: Whose weights they are.
        network: Its settings.
        max_length: L, the longest history that it reads, events.
        known_items: N; it knows items 1..N.
        exclude_seen: Whether what a user had before is left out of answers.
    """

    format: PositiveInt
    use_case: Literal["recommender"] = "recommender"
    network: Shape
    max_length: PositiveInt
    known_items: PositiveInt
    exclude_seen: bool


def _from_the_first_format(told: Config) -> Config:
    config, features = (told[name] for name in ("config", "features"))
    assert isinstance(config, dict)
    assert isinstance(features, dict)
    return {
        "network": config["network"],
        "max_length": features["max_length"],
        "known_items": told["known_items"],
        "exclude_seen": config["exclude_seen"],
    }


STEPS = {1: _from_the_first_format, **RecommenderConfig.former}
"""What ``model.json`` of one format says in the words of the next."""


@dataclass(frozen=True)
class Ready:
    """A network that answers.

    Attributes:
        network: Knows items 1..``network.items``; on the CPU, dropout off.
        exclude_seen: Whether what a user had before is left out of answers.
    """

    network: SasRec
    exclude_seen: bool


@dataclass(frozen=True)
class Weights:
    """A network and the settings it is trained under.

    Attributes:
        network: Knows items 1..``network.items``.
        config: Under which it was trained.
        features: `features` settings of the tables it was trained on; ``max_length`` is the network's.
    """

    network: SasRec
    config: RecommenderConfig
    features: Config


def new_network(items: int, config: RecommenderConfig, features: Config) -> SasRec:
    """Make a network with fresh weights for items 1..``items``."""
    return SasRec(items, max_length(features), config.network, config.fit.seed)


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
    """Write ``weights`` into ``folder``, which is made; a tensor that layers share is written once."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.network.named_parameters()}
    save_file(tensors, folder / TENSORS)
    record = ModelRecord(
        format=FORMAT,
        network=Shape.model_validate(weights.config.network.model_dump()),
        max_length=weights.network.max_length,
        known_items=weights.network.items,
        exclude_seen=weights.config.exclude_seen,
    )
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")
    settings = {"format": FORMAT, "model": weights.config.model_dump(mode="json"), "features": weights.features}
    (folder / TRAINING).write_text(json.dumps(settings, indent=2), encoding="utf-8")


def read_record(folder: Path) -> ModelRecord:
    """Read what ``model.json`` in ``folder`` says, of whatever format.

    Raises:
        BundleFormatError: It is of a format that is newer than this code.
    """
    return ModelRecord.model_validate(in_todays_format(folder / RECORD, STEPS))


def load(folder: Path) -> Ready:
    """Read weights, ready to score.

    Raises:
        BundleFormatError: They are of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: The tensors are not those that its ``model.json`` describes.
    """
    record = read_record(folder)
    network = SasRec(record.known_items, record.max_length, record.network)
    copy_into(network, folder)
    return Ready(network.eval(), record.exclude_seen)


def copy_into(network: SasRec, folder: Path) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; items it knows beyond them keep their rows.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape; the message lists all of them.
    """
    rows = {ITEM_ROWS: min(read_record(folder).known_items, network.items) + 1}
    copy_rows(dict(network.named_parameters()), load_file(folder / TENSORS), rows, folder)
