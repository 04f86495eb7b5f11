"""How many rows a second and core are staged, format by format, beside one plain pass: ``make bench-formats``."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from benchmarks.big_logs import write_logs
from benchmarks.results import Row, record, section
from data_contracts.night import Workspace
from tasks.cluster import ClusterConfig, dask_cluster
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night

ROWS, QUICK = 1_000_000, 20_000
REVIEW = {"helpful": [0, 0], "text": "It sounds like it costs more. " * 12, "name": "somebody", "stars": 5.0}
"""What a review has besides: 500 bytes a line, none of them wanted."""


def write(folder: Path, rows: int) -> dict[Path, int]:
    """Write the same day in each format, and a quarter of it as reviews; returns the rows of each file."""
    write_logs(folder, rows, days=1)
    (day,) = folder.glob("*.parquet")
    parquet = day.rename(folder / "day.parquet")
    frame = pl.read_parquet(parquet).with_columns(pl.col("timestamp").dt.to_string("iso:strict"))
    reviews = frame.head(rows // 4).with_columns(pl.lit(value).alias(name) for name, value in REVIEW.items())
    frame.write_csv(folder / "day.csv")
    frame.write_ndjson(folder / "day.jsonl")
    reviews.write_ndjson(folder / "reviews.jsonl")
    whole = dict.fromkeys((folder / "day.csv", folder / "day.jsonl", parquet), rows)
    return {**whole, folder / "reviews.jsonl": len(reviews)}


def staged(file: Path, cluster: str) -> None:
    """Take one file into an empty house."""
    with tempfile.TemporaryDirectory(dir=file.parent.parent) as home:
        workspace = Workspace(name="bench", use_case="recommender", home=home, tracking_uri="sqlite://")
        stage_night(workspace, SourceConfig(uri=str(file), format=file.suffix[1:]), cluster)


def plain(file: Path) -> None:
    """Make a file Arrow in memory, in one thread."""
    if file.suffix == ".csv":
        pyarrow.csv.read_csv(file, pyarrow.csv.ReadOptions(use_threads=False))
    elif file.suffix == ".jsonl":
        pyarrow.json.read_json(file, pyarrow.json.ReadOptions(use_threads=False))
    else:
        pyarrow.parquet.read_table(file, use_threads=False)


def seconds(what: Callable[[], None]) -> float:
    """How long ``what`` takes."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, nothing is kept")
    parser.add_argument("--rounds", type=int, default=3, help="each file, and its peer, in turn")
    options = parser.parse_args()
    rates: dict[str, list[float]] = defaultdict(list)
    one_core = ClusterConfig(workers=1, dashboard_port=0)
    with tempfile.TemporaryDirectory(prefix="bench-formats-") as folder, dask_cluster(one_core) as cluster:
        files = write(Path(folder, "logs"), QUICK if options.quick else ROWS)
        staged(next(iter(files)), cluster)  # what it imports is not measured
        for _ in range(options.rounds):
            for file, count in files.items():
                rates[f"{file.name}: staged"].append(count / seconds(lambda: staged(file, cluster)))  # noqa: B023
                rates[f"{file.name}: PyArrow alone"].append(count / seconds(lambda: plain(file)))  # noqa: B023
    intro = f"`make bench-formats`: one day as each format, {ROWS:,} rows (a quarter of them as reviews), one worker."
    notes = [
        "Staged: read, every value looked at by its type, times parsed, repeats found, written as Parquet and sealed.",
        "PyArrow alone: the file as Arrow in memory, in one thread. It ends at the first line or type that is wrong.",
    ]
    text = section("Formats of logs", intro, [Row(what, found, "rows/s") for what, found in rates.items()], notes)
    print(f"\n{text}")
    if not options.quick:
        record("bench-formats", text)


if __name__ == "__main__":
    main()
