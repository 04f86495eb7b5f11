"""What ``python -m flows.approve`` understands: a yes or a no to the question that waits, or once more to the last."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from data_contracts.night import Answer
from flows import report
from flows.manager import ServiceError
from flows.owners import require_own
from flows.problems import explained
from flows.schedule import spoken_to
from flows.service import services
from flows.settings import SHOP, NightlySettings

PROGRAM = "python -m flows.approve"


def main(arguments: Sequence[str]) -> None:
    """Answer the open question of the settings' logs; or the last one again, if its run broke off.

    Raises:
        SystemExit: None is open, or the answer was not taken; the message says so.
    """
    from flows.questions import NoAnswerError, about, link, reply

    settings, answer = read(arguments)
    prefect = services(settings)[0]
    try:
        require_own(settings, [prefect])
        up = prefect.is_up()
    except ServiceError as error:
        sys.exit(f"{error}")
    if not up:
        sys.exit(f"prefect: {prefect.url} does not answer, and questions are kept there. `make up` starts it.")
    try:
        with spoken_to(settings):
            run = reply(settings.workspace().tags, answer, report.line)
            report.line(f"{settings.name} version {about(run).version}: {answer}")
            report.line(f"It is carried out as soon as no night is at work: {link(run)}")
            report.line("`make status` says what came of it.")
    except NoAnswerError as error:
        sys.exit(f"{error}")


def read(arguments: Sequence[str]) -> tuple[NightlySettings, Answer]:
    """Turn a command line into settings and an answer.

    Raises:
        SystemExit: It asks for help, or is wrong; the message names every problem.
    """
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Say whether the version that waits is promoted.")
    parser.add_argument("--settings", metavar="FILE", help=f"YAML (default: {SHOP.name}, the made-up shop)")
    said = parser.add_mutually_exclusive_group(required=True)
    said.add_argument("--yes", action="store_true", help="promote it, and put it in service")
    said.add_argument("--no", action="store_true", help="the champion stays")
    parser.add_argument("--why", required=True, help="for those who read it later")
    parser.add_argument("--who", default=getpass.getuser(), help="who says so (default: %(default)s)")
    found = parser.parse_args(arguments)
    if not (found.why.strip() and found.who.strip()):
        parser.error("--why and --who take some words")
    with explained():
        settings = NightlySettings.from_file(found.settings) if found.settings else NightlySettings
        return settings(), Answer(yes=found.yes, who=found.who, why=found.why)
