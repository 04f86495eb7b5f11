"""A made-up shop: behaviour logs to try Nightshift on, whose best reachable recommender is known.

    python -m examples.shop --folder var/shop/logs --days 7     the first week
    python -m examples.shop --folder var/shop/logs --next-day   the day after the newest

The world is in `examples.shop_world`, the files are in `examples.shop_logs`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError

from examples.shop_logs import config_in, days_in, write_days
from examples.shop_world import WorldConfig


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days asked for, and say so.

    Raises:
        SystemExit: The command line is wrong; the message says how.
    """
    options = _parser().parse_args(arguments)
    folder: Path = options.folder
    try:
        config = _config(options)
        first, last = _days(options, config)
        written = 0
        for path, lines in write_days(folder, config, first, last):
            print(f"{path}: {lines:,} lines")
            written += 1
    except (ValueError, ValidationError) as error:
        sys.exit(f"shop: {error}")
    if kept := (last - first).days + 1 - written:
        print(f"{folder}: {kept} of the days {first} to {last} were there already, and stay as they are")


def _config(options: argparse.Namespace) -> WorldConfig:
    """Return the world asked for; what is left out is as in the folder's logs, if it has any."""
    asked = {name: getattr(options, name) for name in WorldConfig.model_fields}
    known = config_in(options.folder) or WorldConfig()
    return WorldConfig.model_validate(
        {name: getattr(known, name) if value is None else value for name, value in asked.items()}
    )


def _days(options: argparse.Namespace, config: WorldConfig) -> tuple[date, date]:
    if options.next_day:
        there = days_in(options.folder)
        if not there:
            raise ValueError(f"no logs in {str(options.folder)!r} that a day could follow. Start with --days 7.")
        return there[-1] + timedelta(days=1), there[-1] + timedelta(days=1)
    last = config.first_day + timedelta(days=(options.day or options.days) - 1)
    return (last if options.day else config.first_day), last


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.shop",
        description="Make up a shop's behaviour logs: one gzipped CSV file a day (UTC), some of its lines dirty. "
        "The same settings give the same bytes; a day that is there already is left as it is.",
    )
    parser.add_argument("--folder", type=Path, default=Path("var/shop/logs"), help="where (default: %(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--days", type=_count, default=7, metavar="N", help="write days 1 to N (default: 7)")
    which.add_argument("--day", type=_count, metavar="N", help="write day N alone")
    which.add_argument("--next-day", action="store_true", help="write the day after the newest in the folder")
    world = parser.add_argument_group("the world", "left out: as in the folder's logs, or the default")
    kinds: dict[str, Callable[[str], object]] = {
        "seed": int,
        "users": int,
        "items": int,
        "first_day": date.fromisoformat,
    }
    for name, field in WorldConfig.model_fields.items():
        help_text = f"{field.description} (default: {field.default})".replace("%", "%%")
        world.add_argument(f"--{name.replace('_', '-')}", type=kinds[name], help=help_text)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wanted a whole number from 1 on, got {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
