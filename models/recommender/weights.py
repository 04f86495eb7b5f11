"""Weights on disk: ``model.safetensors`` and ``model.json``, nothing that runs code when read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.job import Config
from models.recommender.config import RecommenderConfig
from models.recommender.network import SasRec

TENSORS = "model.safetensors"
RECORD = "model.json"
ITEM_ROWS = "embedding.item.weight"
"""The one tensor with a row an item, 1..N, after padding's row 0."""


class WeightsError(ValueError):
    """Weights do not fit the network they are meant for."""


class ModelRecord(BaseModel, frozen=True, extra="forbid"):
    """What ``model.json`` says about the tensors beside it."""

    use_case: Literal["recommender"] = "recommender"
    config: RecommenderConfig
    features: Config
    known_items: PositiveInt


@dataclass(frozen=True)
class Weights:
    """A network and what it was made under.

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
    return SasRec(items, max_length(features), config.network)


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
    record = ModelRecord(config=weights.config, features=weights.features, known_items=weights.network.items)
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def read_record(folder: Path) -> ModelRecord:
    """Read what the weights in ``folder`` were made under."""
    return ModelRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))


def load(folder: Path) -> Weights:
    """Read weights, ready to score: on the CPU, dropout off.

    Raises:
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: The tensors are not those that its ``model.json`` describes.
    """
    record = read_record(folder)
    network = new_network(record.known_items, record.config, record.features)
    copy_into(network, folder)
    return Weights(network.eval(), record.config, record.features)


def copy_into(network: SasRec, folder: Path) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; items it knows beyond them keep their rows.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape; the message lists all of them.
    """
    saved = load_file(folder / TENSORS)
    own = dict(network.named_parameters())
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    known_items = min(read_record(folder).known_items, network.items)
    shapes[ITEM_ROWS] = (known_items + 1, *shapes[ITEM_ROWS][1:])
    seen = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    if seen != shapes:
        names = sorted(name for name in seen.keys() | shapes.keys() if seen.get(name) != shapes.get(name))
        problems = [f"{name}: {seen.get(name, 'missing')}, wanted {shapes.get(name, 'none')}" for name in names]
        raise WeightsError(
            f"weights in {folder} do not fit the network: {len(names):,} tensors differ.\n  - "
            + "\n  - ".join(problems)
            + "\nStart from nothing (train.warm_start: false), or take the network settings they were trained under."
        )
    with torch.no_grad():
        for name, tensor in saved.items():
            own[name][: tensor.shape[0]].copy_(tensor)
