"""What is refused before a night begins: whatever would mix two ways of making the tables."""

from __future__ import annotations

from data_contracts.night import Protocol
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.tables import Tables

OWN_TABLES = "No features were published. Give these logs a name (and so tables) of their own, or set it back."


def refuse_other_features(tables: Tables, features: FeatureConfig) -> None:
    """Refuse features that the tables were not made with.

    Raises:
        OtherFeaturesError: Every difference.
    """
    wanted: dict[str, int] = features.model_dump()
    made_with = {name: tables.examples.mark(name) for name in wanted}
    differences = [
        f"features.{name}: the tables have {made_with[name]:,}, the settings say {wanted[name]:,}"
        for name in wanted
        if made_with[name] not in (None, wanted[name])
    ]
    if differences:
        listed = "\n  - ".join(differences)
        raise OtherFeaturesError(f"{tables.examples.uri} was made with other features:\n  - {listed}\n{OWN_TABLES}")


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
