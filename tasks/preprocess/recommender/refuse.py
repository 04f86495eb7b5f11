"""What is refused before a night begins: another protocol, and leave-one-out on tables that hold other events."""

from __future__ import annotations

from data_contracts.night import Protocol
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.recommender.tables import Tables
from tasks.preprocess.refuse import OWN_TABLES


def refuse_other_protocol(tables: Tables, events: int, protocol: Protocol) -> None:
    """Refuse to mix protocols, and leave-one-out on tables that hold other events.

    Raises:
        OtherFeaturesError: The tables were made by another protocol, or hold an older version of the events.
    """
    if tables.nights.begun is None:
        return
    made_by, begun = tables.plan().protocol, tables.nights.begun
    if protocol != made_by or (protocol == "leave_one_out" and events != begun):
        raise OtherFeaturesError(
            f"protocol {protocol!r} was asked for on version {events} of the events, but {tables.items.uri} was made "
            f"by protocol {made_by!r} from version {begun}. 'leave_one_out' compares with published tables and "
            f"takes empty tables only. {OWN_TABLES}"
        )
