"""How a use case makes features of its rows: the second of the three objects by which it declares itself."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel

from data_contracts.night import HeldOut, Night, Validated, Workspace
from data_contracts.night import Protocol as Judging
from data_contracts.use_cases import declared


class Features(Protocol):
    """Turns the rows that kept their contract into what is learned from."""

    @property
    def config(self) -> type[BaseModel]:
        """Class of its own settings, `features`; all of them have defaults."""
        ...

    def build_night(
        self,
        workspace: Workspace,
        validated: Validated,
        held_out: HeldOut,
        features: BaseModel,
        protocol: Judging,
        cluster: str,
    ) -> Night:
        """Commit what is new, and return the night's record; a night that runs again does only what is missing.

        Raises:
            PreprocessError: One of its kinds; see `tasks.preprocess.errors`.
        """
        ...


def features_of(use_case: str) -> Features:
    """Return how a use case makes its features."""
    found: Features = declared(use_case, "FEATURES")
    return found
