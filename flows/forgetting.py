"""What `flows.forget` does at Prefect's server, and what ``python -m flows.forget`` understands."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial

from prefect import Flow, State, get_client, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from data_contracts.forgotten import forgotten_of
from data_contracts.night import Workspace
from flows.alerts import NIGHT
from flows.problems import explained
from flows.settings import SHOP, NightlySettings
from flows.traces import delete_runs
from tasks.forget.erase import Erasure
from tasks.forget.traces import clean_databases

log = logging.getLogger(__name__)

PROGRAM = "python -m flows.forget"
DEPLOYMENT = f"{NIGHT}/nightly"
DUTIES = """
What stays yours: the raw logs, and backups of them and of this home; the file of ids; what a registered model has
learned, until its versions are deleted; what was copied elsewhere: answers, logs, messages; and where Prefect's
database is no SQLite file of this home, its events, which may show a row of a refused night for a week.
"""


@task(name="clean", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[10, 60])
def clean(workspace: Workspace, erased: Erasure) -> None:
    """Delete runs that show a row about the people, have databases give up what was deleted, and say what was done."""
    forgotten = forgotten_of(workspace.tables)
    runs = delete_runs(forgotten, workspace.tags, flow_run.id)
    busy = clean_databases(workspace, forgotten)
    said = [f"{erased}.", erased.served, f"Runs deleted whose errors showed a row: {runs:,}."]
    said += [
        f"Deleted texts may still lie in {each}. Stop what reads it (`make down`), and run this again." for each in busy
    ]
    create_markdown_artifact(
        "\n\n".join([*said, DUTIES]), key=workspace.artifact("forgotten"), description="What was erased."
    )


@task(name="retrain", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=[10, 60])
def retrain(workspace: Workspace, erased: Erasure) -> None:
    """Have a night begin that trains from nothing, where versions learned from the people and Prefect serves nights."""
    if not erased.versions:
        return
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            log.warning("Nobody serves %r: start a night, which trains from nothing.", DEPLOYMENT)
            return
        run = client.create_flow_run_from_deployment(
            deployment.id, name=f"{workspace.name}-without-the-forgotten", tags=workspace.tags
        )
    log.info("A night begins that trains from nothing: %s", run.name)


def main(flow: Flow[..., State[Erasure]], arguments: Sequence[str]) -> None:
    """Forget the people of a file, and say what was erased.

    Raises:
        SystemExit: It asks for help, or is wrong, or fails; the message says how.
    """
    from flows import report
    from flows.databases import DatabaseError
    from flows.manager import ServiceError
    from flows.recorded import outcome_here

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Forget people: erase every row about them, mark the versions that learned from them, and leave "
        "them out of every night to come.",
    )
    parser.add_argument("ids", metavar="FILE", help="text file, an id a line, exactly as the logs have it")
    parser.add_argument("--settings", metavar="FILE", help=f"YAML (default: {SHOP.name}, the made-up shop)")
    found = parser.parse_args(arguments)
    with explained():
        settings = (NightlySettings.from_file(found.settings) if found.settings else NightlySettings)()
    try:
        outcome = outcome_here(settings, partial(flow, ids=found.ids, settings=settings, return_state=True))
    except (ServiceError, DatabaseError) as error:
        sys.exit(f"{error}\nNothing was done.")
    report.line(f"{outcome}\n{outcome.served}\n{DUTIES.strip()}")
