"""What ``python -m flows.nightly`` understands: every setting as an option, the flow, and the report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import CliApp, CliSettingsSource

from flows.ending import Ended, ends_when_asked, exit_code
from flows.settings import SHOP, NightlySettings, explained

if TYPE_CHECKING:
    from prefect import Flow

    from data_contracts.night import Promotion


def read(arguments: Sequence[str]) -> tuple[date | None, NightlySettings]:
    """Turn a command line into the flow's parameters.

    Raises:
        SystemExit: It asks for help, or is wrong; the message names every problem.
    """
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--settings", metavar="FILE", help=f"YAML (default: {SHOP.name}, the made-up shop)")
    chosen = file.parse_known_args(arguments)[0].settings
    settings = NightlySettings.from_file(chosen) if chosen else NightlySettings
    parser = argparse.ArgumentParser(prog="python -m flows.nightly", description="Run one night now.", parents=[file])
    parser.add_argument("--through", type=date.fromisoformat, metavar="YYYY-MM-DD", help="last day to take, UTC")
    with explained():
        source: CliSettingsSource[NightlySettings] = CliSettingsSource(settings, root_parser=parser)
    options = vars(parser.parse_args(arguments))
    through = options.pop("through")
    del options["settings"]
    read_from = Path(chosen or os.environ.get("NIGHTSHIFT_SETTINGS", SHOP))
    if options.get("source.uri") and not options.get("name") and read_from.resolve() == SHOP:
        sys.exit(
            "settings: own logs need settings of their own (--settings FILE), or at least a --name: they would mix "
            "with the made-up shop's."
        )
    with explained():
        return through, CliApp.run(settings, cli_args=options, cli_settings_source=source)


def run(flow: Flow[..., Promotion], arguments: Sequence[str]) -> None:
    """Run ``flow`` once, against the servers of ``make up`` if they answer, and say what came of it.

    Raises:
        SystemExit: The night failed, or was ended; the message is printed.
    """
    from flows import report

    through, settings = read(arguments)
    try:
        with ends_when_asked():
            _run(flow, through, settings)
    except Ended as ended:
        report.line(f"\nThe night was ended by {ended}. The same command goes on from here.")
        sys.exit(exit_code(ended.number))


def _run(flow: Flow[..., Promotion], through: date | None, settings: NightlySettings) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL, temporary_settings

    from flows import report, services
    from flows.temporary import start_prefect

    prefect, mlflow, *_ = services.services(settings)
    home = settings.home.resolve() / "prefect"
    api = f"{settings.prefect_url}/api" if prefect.answers() else start_prefect(home)
    if settings.tracking_uri is None and mlflow.answers():
        settings = settings.model_copy(update={"tracking_uri": settings.mlflow_url})
    started = datetime.now(UTC)
    with temporary_settings({PREFECT_HOME: home, PREFECT_API_URL: api, PREFECT_UI_URL: settings.prefect_url}):
        state: Any = flow(through=through, settings=settings, return_state=True)
        outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, BaseException):
        report.failure(outcome)
        sys.exit(1)
    report.night(outcome, settings, started)
