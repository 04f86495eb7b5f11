"""What ``python -m flows.maintain`` understands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from prefect import Flow, State

from flows.problems import explained
from flows.settings import SHOP, NightlySettings
from tasks.maintain.upkeep import Kept

PROGRAM = "python -m flows.maintain"


def main(flow: Flow[..., State[list[Kept]]], arguments: Sequence[str]) -> None:
    """Do the upkeep once, and say what each table was and is.

    Raises:
        SystemExit: It asks for help, or is wrong, or fails; the message says how.
    """
    from flows import report
    from flows.databases import DatabaseError
    from flows.manager import ServiceError
    from flows.recorded import outcome_here

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Put few files of the tables in the place of many, and delete rows and versions that are too old "
        "(settings keep.*). Nights go on beside it.",
    )
    parser.add_argument("--settings", metavar="FILE", help=f"YAML (default: {SHOP.name}, the made-up shop)")
    found = parser.parse_args(arguments)
    with explained():
        settings = (NightlySettings.from_file(found.settings) if found.settings else NightlySettings)()
    try:
        outcome = outcome_here(settings, partial(flow, settings=settings, return_state=True))
    except (ServiceError, DatabaseError) as error:
        sys.exit(f"{error}\nNothing was done.")
    for each in outcome:
        report.line(str(each))
