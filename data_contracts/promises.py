"""What a use case promises about its tables: the first of the three objects by which it declares itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from data_contracts.contract import DataContract
from data_contracts.files import FILES, files_of
from data_contracts.forgotten import FORGOTTEN
from data_contracts.quarantine import QUARANTINE, quarantine_of

Inflow = Literal["source", "labels"]
"""What comes from outside, by the name of its settings: the truth, or labels that come later."""


@dataclass(frozen=True)
class Labels:
    """Labels that come from a source of their own, some time after what they label, or before.

    Attributes:
        contract: Of the table of labels as they came. Its ``time_column`` says since when one is known.
        key: Columns of the truth and of the labels by which a label finds its row; equal in both, null in neither.
    """

    contract: DataContract
    key: tuple[str, ...]

    @property
    def says(self) -> tuple[str, ...]:
        """Columns of the labels that say something of a row."""
        contract = self.contract
        known = {*self.key, contract.time_column, contract.partition_by}
        return tuple(name for name in contract.schema.names if name not in known)


class Incoming(NamedTuple):
    """Contracts of one inflow: of the rows that keep theirs, of those that do not, and of the files that had both."""

    kept: DataContract
    quarantine: DataContract
    files: DataContract


@dataclass(frozen=True)
class Promises:
    """A use case's tables.

    Raises:
        ValueError: Two tables have one name.

    Attributes:
        truth: Contract of the rows as they came from outside, of which everything else is made.
        made: Contracts of the tables that `preprocess` makes of them, in the order of a night's commits.
        defaults: Column of ``truth`` to what it is where a source has none, unless its settings say otherwise.
        labels: Those that may come from a source of their own; None where a row says all of itself.
        subject: Column of the person whom a row is about, text, in every table that has it; rows of people who ask for
            it are forgotten by it. Empty where no single column says so: then nobody can be.
    """

    truth: DataContract
    made: tuple[DataContract, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)
    labels: Labels | None = None
    subject: str = ""

    def __post_init__(self) -> None:
        names = [contract.name for contract in self._all()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"several tables are called {', '.join(twice)}; `quarantine`, `files` and `forgotten` are everybody's."
            )

    @property
    def incoming(self) -> dict[Inflow, Incoming]:
        """What comes from outside, the truth first."""
        found: dict[Inflow, Incoming] = {"source": Incoming(self.truth, QUARANTINE, FILES)}
        if self.labels is not None:
            labels = self.labels.contract
            found["labels"] = Incoming(labels, quarantine_of(labels), files_of(labels))
        return found

    @property
    def needs_labels(self) -> bool:
        """Whether no row of the truth has labels of its own."""
        return self.labels is not None and not set(self.labels.says) <= set(self.truth.schema.names)

    @property
    def contracts(self) -> dict[str, DataContract]:
        """Every contract by its table's name, those of what is in quarantine and of source files included."""
        return {contract.name: contract for contract in self._all()}

    def _all(self) -> list[DataContract]:
        of_people = [FORGOTTEN] if self.subject else []
        return [*(contract for inflow in self.incoming.values() for contract in inflow), *self.made, *of_people]
