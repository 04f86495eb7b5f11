"""How fast rows come from a parameter server and gradients go there, beside torch's RPC: ``make bench-ps``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from statistics import median

from benchmarks.exchange import ROWS, WIDTH
from benchmarks.lab import ENVIRONMENT
from benchmarks.results import Row, record, section

ROUNDS, EXCHANGES = 5, 1_000
WANTED, AIM = 300.0, 600.0
"""Exchanges a second: the bar, and what is aimed at after it."""
KINDS = {"flight": "Arrow Flight, as shipped", "rpc": "torch's RPC, the same rules"}


def exchanges(kind: str, number: int) -> float:
    """Measure in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.exchange", kind, str(number)]
    environment = {**os.environ, **ENVIRONMENT}
    told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(told.stdout.split()[-1])


def rows_of(seen: dict[str, list[float]]) -> list[Row]:
    """Turn what was seen into lines of the table."""
    bar = f">= {WANTED:g}, then {AIM:g}"
    ratios = [flight / rpc for flight, rpc in zip(seen["flight"], seen["rpc"], strict=True)]
    return [
        Row(KINDS["flight"], seen["flight"], "exchanges/s", bar, median(seen["flight"]) >= WANTED),
        Row(KINDS["rpc"], seen["rpc"], "exchanges/s"),
        Row("Flight of RPC", ratios, "x"),
    ]


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(prog="make bench-ps", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, nothing is written down")
    given = parser.parse_args()
    rounds, number = (1, 50) if given.quick else (ROUNDS, EXCHANGES)
    seen: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(rounds):
        for kind, found in seen.items():
            found.append(exchanges(kind, number))
            print(f"round {turn + 1}/{rounds}, {KINDS[kind]}: {found[-1]:,.0f} exchanges/s", flush=True)
    text = section(
        "Rows and gradients travel",
        f"`make bench-ps`: one trainer and one shard, each a process with one thread; an exchange is a look-up of "
        f"{ROWS:,} rows of {WIDTH} float32 and a push of their gradient, learned by row-wise Adagrad and averaged.",
        rows_of(seen),
        [f"{rounds} rounds of {number:,} exchanges, in turn. Both processes share the machine's cores."],
    )
    print(text)
    if not given.quick:
        record("parameter-server", text)


if __name__ == "__main__":
    main()
