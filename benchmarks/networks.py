"""Which network learns most in a time: ``make bench-networks``.

Each is trained by leave-one-out, on each log, as the log's example says, for so many seconds of one processor. The
average of the weights is validated after every epoch; the best ranks the users' last events. Loss, optimiser, order of
batches and embedding are the house's own, only the blocks differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks.lab import ENVIRONMENT
from benchmarks.learned import LOGS, case_of
from benchmarks.results import machine, record

SEEDS = (0, 1, 2)
SECONDS = 40.0
KINDS = {
    "sasrec": "SASRec, places as distances (`kind: sasrec`)",
    "ligr": "LiGR blocks (eSASRec), places as distances",
    "hstu": "HSTU, how far back and how long ago (`kind: hstu`)",
}
AT_ONCE = 2
"""Trainings, of one thread each."""


def measured(folder: Path, data: Path, seconds: float, run: tuple[str, str, int]) -> tuple[float, float, int]:
    """Train in a process of its own; return NDCG@10 and HR@10 of the users' last events, and the epochs."""
    log, kind, seed = run
    arguments = [log, kind, str(seed), str(data), str(folder / log), str(seconds)]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.contended", *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    ndcg, hits, epochs = json.loads(done.stdout.splitlines()[-1])
    print(f"{log}, {kind}, seed {seed}: NDCG@10 {ndcg:.4f}, HR@10 {hits:.4f}, {epochs} epochs", flush=True)
    return ndcg, hits, epochs


def table(found: dict[tuple[str, str, int], tuple[float, float, int]], logs: list[str]) -> str:
    """Return it in Markdown."""
    lines = [f"| Network | {' | '.join(logs)} |", f"|---|{'---|' * len(logs)}"]
    for kind, name in KINDS.items():
        cells = []
        for log in logs:
            ndcg, hits, epochs = zip(*(found[log, kind, seed] for seed in SEEDS), strict=True)
            span = f"{min(ndcg):.4f} to {max(ndcg):.4f}"
            cells.append(f"{median(ndcg):.4f} ({span}), HR@10 {median(hits):.4f}, {median(epochs)} epochs")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of the logs")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of one processor, for each training")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-networks-") as name:
        folder = Path(name)
        logs = [log for log in LOGS if log != "musical-instruments"]
        for log in logs:
            case_of(log, told.real_data, folder / log)
        runs = list(product(logs, KINDS, SEEDS))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            run = partial(measured, folder, told.real_data.absolute(), told.seconds)
            found = dict(zip(runs, pool.map(run, runs), strict=True))
    intro = (
        "`make bench-networks`: NDCG@10 of the users' last events by leave-one-out, all items but those read ranked, "
        f"after {told.seconds:.0f} s of one processor; median (lowest to highest) of {len(SEEDS)} seeds."
    )
    text = f"## Networks of the recommender at equal time\n\n{intro}\n\n{machine()}\n\n{table(found, logs)}\n"
    print(f"\n{text}")
    record("bench-networks", text)


if __name__ == "__main__":
    main()
