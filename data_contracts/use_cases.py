"""The one place where a use case's name becomes its contracts."""

from __future__ import annotations

from data_contracts.contract import DataContract
from data_contracts.night import UseCaseName
from data_contracts.quarantine import QUARANTINE
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.histories import HISTORIES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS

_CONTRACTS: dict[UseCaseName, tuple[DataContract, ...]] = {
    "recommender": (EVENTS, ITEMS, ITEM_COUNTS, EXAMPLES, HISTORIES),
}


def contracts(use_case: UseCaseName) -> dict[str, DataContract]:
    """Return every contract of a use case by the table's name, `quarantine` included."""
    return {contract.name: contract for contract in (QUARANTINE, *_CONTRACTS[use_case])}
