"""What a use case promises about its tables: the first of the three objects by which it declares itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from data_contracts.contract import DataContract
from data_contracts.quarantine import QUARANTINE


@dataclass(frozen=True)
class Promises:
    """A use case's tables.

    Raises:
        ValueError: Two tables have one name.

    Attributes:
        truth: Contract of the rows as they came from outside, of which everything else is made.
        made: Contracts of the tables that `preprocess` makes of them, in the order of a night's commits.
        defaults: Column of ``truth`` to what it is where a source has none, unless its settings say otherwise.
    """

    truth: DataContract
    made: tuple[DataContract, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [contract.name for contract in (QUARANTINE, self.truth, *self.made)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"several tables are called {', '.join(twice)}; `quarantine` is everybody's.")

    @property
    def contracts(self) -> dict[str, DataContract]:
        """Every contract by its table's name, that of `quarantine` included."""
        return {contract.name: contract for contract in (QUARANTINE, self.truth, *self.made)}
