"""Made-up transactions to try Nightshift on: some parties cheat, once they are given more than usual.

    python -m examples.risk               the first thirty days, in var/risk/logs
    python -m examples.risk --next-day    one more

One CSV file a day (UTC). The same seed gives the same bytes; a day that is there already is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

FIRST_DAY = date(2026, 1, 1)
PARTIES = 300
CHEATS = 0.15
"""Share of parties that cheat."""
TEMPTING = 1.2
"""Times the usual amount of who gives it, from which on a cheat cheats."""
UNKNOWN = 0.03
"""Share of transactions of which nobody knows yet how they turned out."""
DIRT_SHARE = 0.003
"""Of each kind of dirt, as a share of a day's clean transactions."""

_BROKEN: dict[str, dict[str, pl.Expr]] = {
    "missing party": {"to_party": pl.lit(None, pl.String)},
    "with oneself": {"to_party": pl.col("from_party")},
    "no number": {"amount": pl.lit("NaN")},
    "no label": {"label": pl.lit("2")},
    "unparseable time": {"happened_at": pl.lit("yesterday noon")},
    "far future": {"happened_at": pl.lit("2099-12-31T23:59:59Z")},
    "exact repeat": {},
}


def write_days(folder: Path, days: int, per_day: int, seed: int) -> Iterator[tuple[Path, int]]:
    """Write the first ``days`` days, but for those that are there.

    Args:
        folder: Made if it is not there.
        days: How many.
        per_day: Clean transactions of each.
        seed: Of the world and of each of its days.

    Yields:
        Each file written, and how many lines it has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for day in (FIRST_DAY + timedelta(days=number) for number in range(days)):
        path = folder / f"{day}.csv"
        if not path.exists():
            lines = _with_dirt(transactions(day, per_day, seed), np.random.default_rng([seed, day.toordinal(), 1]))
            staged = path.with_name(f".{path.name}")
            lines.write_csv(staged)
            staged.replace(path)
            yield path, lines.height


def transactions(day: date, count: int, seed: int) -> pl.DataFrame:
    """Make up a day's transactions: columns of contract `transactions`, in order of time."""
    world, chance = np.random.default_rng(seed), np.random.default_rng([seed, day.toordinal()])
    cheats = world.random(PARTIES) < CHEATS
    busy = world.pareto(1.5, PARTIES) + 0.1
    usual = world.lognormal(4, 1, PARTIES)
    giver = chance.choice(PARTIES, count, p=busy / busy.sum())
    getter = (giver + chance.integers(1, PARTIES, count)) % PARTIES
    times = chance.lognormal(0, 0.5, count)
    tempting = times > TEMPTING
    bad = chance.random(count) < np.where(cheats[getter], np.where(tempting, 0.85, 0.01), 0.02)
    amount = np.round(usual[giver] * times, 2)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = np.sort(chance.integers(0, 86_400, count))
    known = chance.random(count) >= UNKNOWN
    rows = pl.DataFrame(
        {
            "from_party": [f"p{number:04}" for number in giver],
            "to_party": [f"p{number:04}" for number in getter],
            "amount": amount,
            "label": bad.astype(np.int8),
            "outcome": np.where(bad, -amount, np.round(amount * 0.1, 2)),
            "happened_at": [start + timedelta(seconds=int(second)) for second in seconds],
        }
    )
    return rows.with_columns(pl.when(pl.Series(known)).then(pl.col("label", "outcome")))


def _with_dirt(clean: pl.DataFrame, chance: np.random.Generator) -> pl.DataFrame:
    """Return the lines of a day's file, all text; broken copies come after their originals."""
    texts = clean.with_columns(pl.col("happened_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    lines = texts.select(pl.all().cast(pl.String)).with_row_index("row")
    each = max(round(len(clean) * DIRT_SHARE), 1)
    dirt = [lines[chance.choice(len(lines), each)].with_columns(**breaks) for breaks in _BROKEN.values()]
    return pl.concat([lines, *dirt]).sort("row", maintain_order=True).drop("row")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days asked for, and say so."""
    parser = argparse.ArgumentParser(prog="python -m examples.risk", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("var/risk/logs"), help="where (default: %(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--days", type=_count, default=30, metavar="N", help="write days 1 to N (default: 30)")
    which.add_argument("--next-day", action="store_true", help="write the day after the newest in the folder")
    parser.add_argument("--per-day", type=_count, default=1_000, metavar="N", help="of each day (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the world (default: 0)")
    options = parser.parse_args(arguments)
    days = len(list(options.folder.glob("*.csv"))) + 1 if options.next_day else options.days
    for path, lines in write_days(options.folder, days, options.per_day, options.seed):
        print(f"{path}: {lines:,} lines")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wanted a whole number from 1 on, got {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
