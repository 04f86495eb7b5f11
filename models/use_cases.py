"""The one place where a use case's name becomes what it gives to learning and answering."""

from __future__ import annotations

from data_contracts.night import UseCaseName
from models.recommender.use_case import RECOMMENDER
from models.use_case import UseCase

_USE_CASES: dict[UseCaseName, UseCase] = {"recommender": RECOMMENDER}


def use_case(name: UseCaseName) -> UseCase:
    """Return the use case of that name."""
    return _USE_CASES[name]
