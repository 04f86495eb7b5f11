"""What must be equal in two trainings for the weights of one to be trained further in the other."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from data_contracts.bundle import training_settings
from data_contracts.tolerant import parsed_tolerantly
from tasks.train.plan import Shape


def shape(model: BaseModel, features: BaseModel) -> Shape:
    """Return the settings of the network, and those under which its examples were made, each with its value."""
    return {"network": model.model_dump(mode="json")["network"], "features": features.model_dump(mode="json")}


def shape_of(bundle: Path, model: BaseModel, features: BaseModel) -> Shape:
    """Return the shape that a bundle was trained in, as this code understands it; nothing if it cannot.

    A setting that has come since then has its default, one that is gone is left out.

    Args:
        bundle: Verified.
        model: Tonight's settings: the bundle's are of the same kind.
        features: As above.
    """
    try:
        told = training_settings(bundle, getattr(model, "former", {}))  # of every use case's settings
        return shape(*(parsed_tolerantly(type(kind), each) for kind, each in zip((model, features), told, strict=True)))
    except (OSError, ValueError, KeyError):
        return {}
