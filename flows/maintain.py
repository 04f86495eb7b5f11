"""Keep the tables small: few files for many, old rows and versions away. Deployed as ``weekly`` (prefect.yaml)."""

from __future__ import annotations

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed

from data_contracts.upgrade import bring_up_to_date
from flows.ending import ends_in_time
from flows.forget import LONGEST_NIGHT_SECONDS
from flows.settings import NightlySettings
from tasks.cluster import dask_cluster
from tasks.lock import between_nights, only_upkeep
from tasks.maintain.task import keep_tables_up
from tasks.maintain.upkeep import Kept


@flow(name="maintain", result_serializer="json", persist_result=True)
def maintain(settings: NightlySettings | None = None) -> State[list[Kept]]:
    """Do the upkeep of all tables; nights go on beside it, and wait for a moment at most.

    Args:
        settings: Defaults to the environment (``NIGHTSHIFT_*``) and the settings file it names.

    Returns:
        What each table was and is, and in words as the message of the run's state.
    """
    settings = settings or NightlySettings()
    workspace, name = settings.workspace(), flow_run.name
    with only_upkeep(workspace, name), ends_in_time():
        with between_nights(workspace, name, seconds=LONGEST_NIGHT_SECONDS):
            bring_up_to_date(workspace)
        with dask_cluster(settings.cluster) as address:
            done = keep_tables_up(workspace, settings.keep, name, LONGEST_NIGHT_SECONDS, address)
    return Completed(data=done, message="; ".join(map(str, done)) or "There are no tables yet.")


if __name__ == "__main__":
    import sys

    from flows.maintaining import main

    main(maintain, sys.argv[1:])
