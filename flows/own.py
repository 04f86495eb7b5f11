"""Settings of a use case's own, `model` and `features`: which class they are of follows from `use_case`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, WithJsonSchema, create_model
from pydantic_core import PydanticUseDefault
from pydantic_settings import BaseSettings

from models.fit_config import ModelConfig
from models.use_case import use_case
from tasks.preprocess.features import features_of

Own = TypeVar("Own", bound=BaseModel)
Settings = TypeVar("Settings", bound=BaseSettings)
ANY_SETTINGS = WithJsonSchema({"type": "object", "additionalProperties": True})
"""What those who go by the schema, Prefect say, may ask of a setting whose class the use case decides."""
DEFAULT = "recommender"
"""The use case that is meant where none is named."""


def kind_of_features(name: str) -> type[BaseModel]:
    """Return the class of a use case's `features`."""
    return features_of(name).config


def kind_of_model(name: str) -> type[ModelConfig]:
    """Return the class of its `model`."""
    return use_case(name).config


def own(kind_of: Callable[[str], type[BaseModel]]) -> BeforeValidator:
    """Read a setting as one of the use case's own class; where there is no such use case, only that is said."""

    def read(told: object, info: ValidationInfo) -> object:
        if "use_case" not in info.data:
            raise PydanticUseDefault
        kind = kind_of(info.data["use_case"])
        return told if isinstance(told, kind) else kind.model_validate(told)

    return BeforeValidator(read)


def default(kind_of: Callable[[str], type[Own]]) -> Callable[[dict[str, Any]], Own]:
    """Return what makes a setting of its own that nobody gave."""
    return lambda told: kind_of(told.get("use_case", DEFAULT))()


@cache
def typed(settings: type[Settings], name: str) -> type[Settings]:
    """Return settings with the own classes of one use case in it: options and variables go by fields.

    Raises:
        UnknownUseCaseError: It is not declared.
    """
    kinds: dict[str, type[BaseModel]] = {"features": kind_of_features(name), "model": kind_of_model(name)}
    fields: dict[str, Any] = {
        setting: (kind, Field(kind(), description=settings.model_fields[setting].description))
        for setting, kind in kinds.items()
    }
    return create_model(settings.__name__, __base__=settings, __doc__=settings.__doc__, **fields)
