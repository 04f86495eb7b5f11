"""How long the way from raw logs to examples takes, room by room: ``make bench-line``."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.big_logs import DAYS, write_logs
from benchmarks.results import Row, record, section
from data_contracts.night import HeldOut, Workspace
from tasks.cluster import ClusterConfig, dask_cluster
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

EVENTS, QUICK = 20_000_000, 100_000
WATCH_SECONDS = 0.2


class Rooms(dict[str, float]):
    """Seconds that each room took, and the bytes of the largest process."""

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the seconds of what is done under it."""
        start = time.perf_counter()
        yield
        self[name] = time.perf_counter() - start


@contextmanager
def largest_process(rooms: Rooms) -> Iterator[None]:
    """Look at this process and all under it, again and again."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            own = psutil.Process()
            for process in (own, *own.children(recursive=True)):
                try:
                    size = float(process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
                rooms["largest"] = max(rooms.get("largest", 0.0), size)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def line(logs: Path, home: Path) -> Rooms:
    """Take all logs into an empty house, as the first night does."""
    workspace = Workspace(name="bench", use_case="recommender", home=str(home), tracking_uri="sqlite://")
    rooms = Rooms()
    with dask_cluster(ClusterConfig(dashboard_port=0)) as cluster, largest_process(rooms):
        with rooms.timed("ingest"):
            staged = stage_night(workspace, SourceConfig(uri=str(logs), format="parquet"), cluster)
        with rooms.timed("validate"):
            validated = validate_night(workspace, staged, None, ValidationConfig(), cluster)
        with rooms.timed("preprocess"):
            build_night(workspace, validated, HeldOut(), FeatureConfig(), "nightly", cluster)
    return rooms


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.line", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few events, nothing is kept")
    parser.add_argument("--rounds", type=int, default=3, help="each in an empty house")
    options = parser.parse_args()
    events = QUICK if options.quick else EVENTS
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-line-") as folder:
        logs = Path(folder, "logs")
        write_logs(logs, events)
        for number in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=folder) as home:
                found.append(line(logs, Path(home)))
            print(f"round {number + 1}: {found[-1]}", flush=True)
    names = ("ingest", "validate", "preprocess")
    rows = [Row(name, [rooms[name] for rooms in found], "s") for name in names]
    rows.append(Row("together", [sum(rooms[name] for name in names) for rooms in found], "s"))
    rows.append(Row("largest process", [rooms["largest"] / 1e6 for rooms in found], "MB"))
    intro = (
        f"`make bench-line`: {events:,} events in {DAYS} daily Parquet files, two workers, an empty house each round."
    )
    text = section("From logs to examples", intro, rows, ["The first window and its held-out end; no training."])
    print(f"\n{text}")
    if not options.quick:
        record("bench-line", text)


if __name__ == "__main__":
    main()
