"""What ``python -m flows.nightly`` understands: every setting as an option, the flow, and the report."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pydantic_settings import CliApp, CliSettingsSource

from flows.ending import Ended, ends_when_asked, exit_code
from flows.own import DEFAULT
from flows.problems import explained, meant, refuse
from flows.settings import SHOP, NightlySettings

if TYPE_CHECKING:
    from prefect import Flow, State

    from data_contracts.night import Promotion


PROGRAM = "python -m flows.nightly"


def read(arguments: Sequence[str]) -> tuple[date | None, NightlySettings]:
    """Turn a command line into the flow's parameters.

    Raises:
        SystemExit: It asks for help, or is wrong; the message names every problem.
    """
    file = _Parser(prog=PROGRAM, add_help=False)
    file.add_argument("--settings", metavar="FILE", help=f"YAML (default: {SHOP.name}, the made-up shop)")
    chosen = file.parse_known_args(arguments)[0].settings
    settings = _of_its_use_case(NightlySettings.from_file(chosen) if chosen else NightlySettings, arguments)
    parser = _Parser(prog=PROGRAM, description="Run one night now.", parents=[file])
    parser.add_argument("--through", type=date.fromisoformat, metavar="YYYY-MM-DD", help="last day to take")
    with explained(settings):
        source: CliSettingsSource[NightlySettings] = CliSettingsSource(settings, root_parser=parser)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = re.findall(r"--[\w.]+", parser.format_help())
        wrong = [each.partition("=")[0] for each in unknown if each.startswith("-")] or unknown
        refuse(f"{each}: there is no such option.{meant(each, known)}" for each in wrong)
    options = vars(found)
    through = options.pop("through")
    del options["settings"]
    read_from = Path(chosen or os.environ.get("NIGHTSHIFT_SETTINGS", SHOP))
    if options.get("source.uri") and options.get("name") is None and read_from.resolve() == SHOP:
        refuse(["own logs need settings of their own (--settings FILE), or a --name: they would mix with the shop's"])
    with explained(settings):
        chosen_settings = CliApp.run(settings, cli_args=options, cli_settings_source=source)
    if not chosen_settings.source.uri:
        refuse(["source.uri: no logs are named. Give a file, a folder or a glob: --source.uri 'logs/*.csv.gz'"])
    return through, chosen_settings


def _of_its_use_case(settings: type[NightlySettings], arguments: Sequence[str]) -> type[NightlySettings]:
    """Return the settings with the own ones of the use case that is meant, wherever it is named."""
    first = _Parser(prog=PROGRAM, add_help=False)
    first.add_argument("--use_case")
    asked = first.parse_known_args(arguments)[0].use_case
    with explained():
        return settings.of(asked or settings.told().get("use_case", DEFAULT))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with options as it is said of any setting."""

    def error(self, message: str) -> NoReturn:
        refuse([f"{message}. `{self.prog} --help` explains every option."])


def run(flow: Flow[..., State[Promotion]], arguments: Sequence[str]) -> None:
    """Run ``flow`` once, seen in this home's Prefect if `make up` started it, and say what came of it.

    Raises:
        SystemExit: The night failed, was ended, or somebody else's server is where ours should be: then nothing was
            done. The message is printed.
    """
    from flows import report
    from flows.databases import DatabaseError
    from flows.manager import ServiceError

    through, settings = read(arguments)
    try:
        with ends_when_asked():
            _run(flow, through, settings)
    except Ended as ended:
        report.line(f"\nThe night was ended by {ended}. The same command goes on from here.")
        sys.exit(exit_code(ended.number))
    except (ServiceError, DatabaseError) as error:
        sys.exit(f"{error}\nNothing was done.")


def _run(flow: Flow[..., State[Promotion]], through: date | None, settings: NightlySettings) -> None:
    from flows import report
    from flows.recorded import outcome_here

    report.night(outcome_here(settings, partial(flow, through=through, settings=settings, return_state=True)), settings)
