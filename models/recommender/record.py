"""What stands beside weights: all that answering needs to know of them, in today's format or an older one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PositiveInt

from data_contracts.bundle import in_todays_format
from data_contracts.job import Config
from models.recommender.config import NetworkConfig, RecommenderConfig

RECORD = "model.json"


class Shape(NetworkConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""

    kind: Literal["sasrec", "hstu", "distances"]  # type: ignore[assignment]  # of all networks that answer


class ModelRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it: all that answering needs, in format `FORMAT`.

    Attributes:
        format: Of the bundle. In the first one, the whole of `RecommenderConfig` and the features stood here.
        use_case: Whose weights they are.
        network: Its settings.
        max_length: L, the longest history that it reads, events.
        known_items: N; it knows items 1..N.
        exclude_seen: Whether what a user had before is left out of answers.
        shards: Files that the items' rows are in; one where they are with the other tensors.
    """

    format: PositiveInt
    use_case: Literal["recommender"] = "recommender"
    network: Shape
    max_length: PositiveInt
    known_items: PositiveInt
    exclude_seen: bool
    shards: PositiveInt = 1


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


def read_record(folder: Path) -> ModelRecord:
    """Read what ``model.json`` in ``folder`` says, of whatever format.

    Raises:
        BundleFormatError: It is of a format that is newer than this code.
    """
    return ModelRecord.model_validate(in_todays_format(folder / RECORD, STEPS))
