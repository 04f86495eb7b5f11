"""How fast raw logs become examples, beside plain scripts of Polars, DuckDB and PySpark: ``make bench-data``.

It has parts, each a section of its own: ``peers`` on the same files in one run, ``scale`` in rows and workers,
``nights`` for one day more, ``year`` for 365 of them.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.big_logs import DAYS, write_logs
from benchmarks.line import ROOMS, Took, night
from benchmarks.plain import ENGINES
from benchmarks.results import Row, record, section
from tasks.cluster import ClusterConfig, dask_cluster

EVENTS, QUICK = 20_000_000, 100_000
TIMES = (2.5, 5)
"""Of so many rows that ``scale`` takes, beside those of ``peers``."""
A_NIGHT = 2_000
"""Events of a day of ``year``."""
YEAR, QUICK_YEAR = 365, 40
MONTH = 30
TWO_WORKERS = 1.7
A_DAY_IS_LESS = 12
MORE_THAN_LINEAR = 5.3 / 5
AROUND = 5
"""Nights whose median stands for one."""


class Options(NamedTuple):
    """What is asked for.

    Attributes:
        folder: Where everything lies that is removed in the end.
        events: Of the log.
        rounds: In turns.
        python: That has the peers; theirs are left out without.
        nights: Of ``year``.
    """

    folder: Path
    events: int
    rounds: int
    python: str
    nights: int

    def logs(self, events: int, days: int = DAYS) -> Path:
        """Return a log, written if nobody asked for it before."""
        folder = self.folder / f"logs-{events}-{days}"
        if not folder.exists():
            write_logs(folder, events, days=days)
        return folder


def empty_house(logs: Path, options: Options, workers: int = 2) -> Took:
    """Take all logs into an empty house, with a cluster of its own that is not counted."""
    cluster = dask_cluster(ClusterConfig(workers=workers, dashboard_port=0))
    with cluster as address, tempfile.TemporaryDirectory(dir=options.folder) as home:
        return night(logs, Path(home), address)


def plain(engine: str, logs: Path, options: Options) -> Took:
    """Have one engine do the plain transformation, in a process of its own; what it imports is counted."""
    took = Took()
    python = "python" if engine == "polars" else options.python
    with tempfile.TemporaryDirectory(dir=options.folder) as out, took.watched(), took.timed("whole"):
        command = [python, "-m", "benchmarks.plain", engine, str(logs), out]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    return took


def peers(options: Options) -> str:
    """Compare with the plain scripts, on the same files in turns."""
    logs, engines = options.logs(options.events), [name for name in ENGINES if options.python or name == "polars"]
    ours: list[Took] = []
    theirs = defaultdict[str, list[Took]](list)
    for number in range(options.rounds):
        ours.append(empty_house(logs, options))
        for engine in engines:
            theirs[engine].append(plain(engine, logs, options))
        said = ", ".join(f"{engine} {runs[-1]['whole']:.1f} s" for engine, runs in theirs.items())
        print(f"round {number + 1}: {ours[-1].seconds:.1f} s {dict(ours[-1])}; {said}", flush=True)
    rows = [Row(name, [took[name] for took in ours], "s") for name in ROOMS]
    rows.append(Row("together", [took.seconds for took in ours], "s"))
    rows += [Row(f"{engine}, plain", [took["whole"] for took in runs], "s") for engine, runs in theirs.items()]
    beside = [took.seconds / other["whole"] for took, other in zip(ours, theirs["polars"], strict=True)]
    rows.append(_at_most(2.5, "together, beside Polars", beside, "x"))
    share = [took["validate"] / took.seconds for took in ours]
    rows.append(_at_most(0.3, "of it validate", share, "%"))
    rows.append(Row("events", [options.events / took.seconds for took in ours], "1/s"))
    rows.append(_at_most(1_500, "largest process", [took["largest"] / 1e6 for took in ours], "MB"))
    rows += [Row(f"{engine}: its process", [t["largest"] / 1e6 for t in runs], "MB") for engine, runs in theirs.items()]
    intro = f"`make bench-data`: {options.events:,} events in {DAYS} daily Parquet files, two workers, an empty house."
    notes = [
        "Ours: read, looked at value by value, repeats and broken rows kept apart, rules, tables in three commits and "
        "more, examples of a past and of a held-out end, the state of every user. No training.",
        "Plain: distinct rows, items and users with fewer than 5 dropped, items numbered, one list a user, written.",
    ]
    return section("From logs to examples, beside plain scripts", intro, rows, notes)


def scale(options: Options) -> str:
    """Take more rows, and fewer workers."""
    base = [empty_house(options.logs(options.events), options) for _ in range(options.rounds)]
    usual = median(took.seconds for took in base)
    rows = [_row(f"{options.events:,} events, two workers", base)]
    for times in TIMES:
        events = int(options.events * times)
        more = [empty_house(options.logs(events), options)]
        print(f"{events:,}: {dict(more[0])}", flush=True)
        rows.append(_row(f"{events:,} events, two workers", more))
        beside = [more[0].seconds / usual]
        rows.append(_at_most(times * MORE_THAN_LINEAR, f"{events:,} events, beside the first row", beside, "x"))
        rows.append(_at_most(1_500, f"{events:,} events: largest process", [more[0]["largest"] / 1e6], "MB"))
    alone = [empty_house(options.logs(options.events), options, workers=1) for _ in range(options.rounds)]
    rows.append(_row(f"{options.events:,} events, one worker", alone))
    faster = [one.seconds / two.seconds for one, two in zip(alone, base, strict=True)]
    rows.append(Row("one worker, beside two", faster, "x", "≥ 1.70 x", met=median(faster) >= TWO_WORKERS))
    return section("From logs to examples, more of them", "`make bench-data`", rows, [])


def nights(options: Options) -> str:
    """Add one day to thirty, beside all of them anew; the cluster is warm."""
    events, days = options.events * (MONTH + 1) // MONTH, MONTH + 1
    found = defaultdict[str, list[Took]](list)
    logs = options.logs(events, days)
    files = sorted(logs.iterdir())
    for number in range(options.rounds):
        with dask_cluster(ClusterConfig(dashboard_port=0)) as cluster, _house(options) as (home, inbox):
            for file in files[:-1]:
                (inbox / file.name).symlink_to(file)
            night(inbox, home / "first", cluster)
            (inbox / files[-1].name).symlink_to(files[-1])
            found["day"].append(night(inbox, home / "first", cluster))
            found["all"].append(night(logs, home / "anew", cluster))
        print(f"round {number + 1}: a day {dict(found['day'][-1])}, all {dict(found['all'][-1])}", flush=True)
    rows = [Row(f"one day more: {room}", [took[room] for took in found["day"]], "s") for room in ROOMS]
    rows += [_row("one day more", found["day"]), _row(f"all {days} days anew", found["all"])]
    less = [anew.seconds / day.seconds for anew, day in zip(found["all"], found["day"], strict=True)]
    rows.append(Row("all anew, beside the day", less, "x", "≥ 12.00 x", met=median(less) >= A_DAY_IS_LESS))
    return section("One day more", f"`make bench-data`: {events:,} events in {days} days.", rows, [])


def year(options: Options) -> str:
    """Do a night each day for a year: seconds and bytes, around the thirtieth and at the end."""
    logs = options.logs(A_NIGHT * options.nights, options.nights)
    took, size = list[float](), list[float]()
    with dask_cluster(ClusterConfig(dashboard_port=0)) as cluster, _house(options) as (home, inbox):
        for number, file in enumerate(sorted(logs.iterdir()), start=1):
            (inbox / file.name).symlink_to(file)
            took.append(night(inbox, home / "house", cluster).seconds)
            size.append(sum(path.stat().st_size for path in (home / "house").rglob("*") if path.is_file()) / 1e3)
            if number % 20 == 0:
                print(f"night {number}: {took[-1]:.2f} s, {size[-1]:,.0f} kB in all", flush=True)
    grown = [after - before for before, after in zip([0.0, *size], size, strict=False)]
    rows = []
    for what, values, unit in (("seconds", took, "s"), ("bytes added", grown, "kB")):
        early, late = values[MONTH - AROUND : MONTH], values[-AROUND:]
        rows += [Row(f"night {MONTH}: {what}", early, unit), Row(f"night {options.nights}: {what}", late, unit)]
        rows.append(_at_most(1.3, f"{what}, beside night {MONTH}", [median(late) / median(early)], "x"))
    return section("A year of nights", f"`make bench-data`: {A_NIGHT:,} events a night.", rows, [])


@contextmanager
def _house(options: Options) -> Iterator[tuple[Path, Path]]:
    """Yield a folder for houses, and an empty one for their logs."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        inbox = Path(folder, "inbox")
        inbox.mkdir()
        yield Path(folder), inbox


def _at_most(bar: float, what: str, values: Sequence[float], unit: str) -> Row:
    shown = f"{bar:.0%}".replace("%", " %") if unit == "%" else f"{bar:,.2f} x" if unit == "x" else f"{bar:,} {unit}"
    return Row(what, values, unit, f"≤ {shown}", met=median(values) <= bar)


def _row(what: str, runs: Sequence[Took]) -> Row:
    return Row(what, [took.seconds for took in runs], "s")


PARTS: dict[str, Callable[[Options], str]] = {"peers": peers, "scale": scale, "nights": nights, "year": year}


def main() -> None:
    """Measure, print, and keep the tables unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events, nothing is kept")
    parser.add_argument("--rounds", type=int, default=3, help="each in an empty house")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="these parts")
    parser.add_argument("--peer", default="", help="Python that has DuckDB and PySpark; left out without")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        sizes = (QUICK, QUICK_YEAR) if asked.quick else (EVENTS, YEAR)
        options = Options(Path(folder), sizes[0], asked.rounds, asked.peer, sizes[1])
        for name in asked.only:
            text = PARTS[name](options)
            print(f"\n{text}", flush=True)
            if not asked.quick:
                record(f"bench-data-{name}", text)


if __name__ == "__main__":
    main()
