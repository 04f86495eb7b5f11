"""Forget people: erase every row about them, and leave them out of nights to come. Deployed as ``people``."""

from __future__ import annotations

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.ending import ends_in_time
from flows.forgetting import clean, retrain
from flows.settings import NightlySettings
from tasks.cluster import dask_cluster
from tasks.forget.erase import Erasure
from tasks.forget.task import erase, put_on_list
from tasks.lock import only_night

LONGEST_NIGHT_SECONDS = 12 * 3600.0
"""How long it waits for a night that is at work."""


@flow(name="forget", result_serializer="json", persist_result=True)
def forget(ids: str, settings: NightlySettings | None = None) -> State[Erasure]:
    """Forget people. Run again, it does what a run that was killed left, and the rest is done already.

    Args:
        ids: URI of a text file, an id a line, exactly as the logs have it. The file itself is yours to delete.
        settings: Defaults to the environment (``NIGHTSHIFT_*``) and the settings file it names.

    Returns:
        What was erased, and in words as the message of the run's state.
    """
    settings = settings or NightlySettings()
    workspace = settings.workspace()
    put_on_list(workspace, ids)
    with only_night(workspace, flow_run.name, seconds=LONGEST_NIGHT_SECONDS), ends_in_time():
        with dask_cluster(settings.cluster) as address:
            erased = erase(workspace, settings.serving, address)
        clean(workspace, erased)
    retrain(workspace, erased)
    return Completed(data=erased, message=str(erased))


if __name__ == "__main__":
    import sys

    from flows.forgetting import main

    main(forget, sys.argv[1:])
