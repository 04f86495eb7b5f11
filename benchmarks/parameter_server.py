"""What a parameter server does: ``make bench-ps``.

How fast rows come and gradients go, beside torch's RPC; what is learned from rows that are some steps old, on equal
samples; and how fast trainers are of which one is held back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.exchange import ROWS, WIDTH
from benchmarks.lab import ENVIRONMENT
from benchmarks.results import FILE, Row, record, section
from benchmarks.stale import SHARDS, STALENESS, TRAINERS, Learned, bound, drawn, learned

ROUNDS, EXCHANGES = 5, 1_000
WANTED, AIM = 300.0, 600.0
"""Exchanges a second: the bar, and what is aimed at after it."""
KINDS = {"flight": "Arrow Flight, as shipped", "rpc": "torch's RPC, the same rules"}
ORDERS = {"ahead": "the next rows are asked for before a gradient goes", "in-turn": "after it"}
PASSES = {"shop": 10, "ml-100k": 10}
PARTS = ["travel", "held-back", *PASSES]
HELD_BACK = ("ddp", "bounded, 16", "async")
HELD_PASSES = 3
FASTER, MOST_LOST = 1.5, 0.02
"""Of steps a second of DDP; of its NDCG@10."""


def exchanges(kind: str, order: str, number: int) -> float:
    """Measure in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.exchange", kind, order, str(number)]
    environment = {**os.environ, **ENVIRONMENT}
    told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(told.stdout.split()[-1])


def rows_of(order: str, seen: dict[str, list[float]]) -> list[Row]:
    """Turn what was seen in an order into lines of the table."""
    bar = f">= {WANTED:g}, then {AIM:g}"
    ratios = [flight / rpc for flight, rpc in zip(seen["flight"], seen["rpc"], strict=True)]
    said = f", {ORDERS[order]}"
    return [
        Row(KINDS["flight"] + said, seen["flight"], "exchanges/s", bar, median(seen["flight"]) >= WANTED),
        Row(KINDS["rpc"] + said, seen["rpc"], "exchanges/s"),
        Row("Flight of RPC" + said, ratios, "x"),
    ]


def travel(rounds: int, number: int) -> str:
    """Measure how rows and gradients travel."""
    seen: dict[str, dict[str, list[float]]] = {order: {kind: [] for kind in KINDS} for order in ORDERS}
    for turn in range(rounds):
        for order, by_kind in seen.items():
            for kind, found in by_kind.items():
                found.append(exchanges(kind, order, number))
                print(f"round {turn + 1}/{rounds}, {KINDS[kind]}, {order}: {found[-1]:,.0f} exchanges/s", flush=True)
    return section(
        "Rows and gradients travel",
        f"`make bench-ps`: one trainer and one shard, each a process with one thread; an exchange is a look-up of "
        f"{ROWS:,} rows of {WIDTH} float32 and a push of their gradient, learned by row-wise Adagrad and averaged.",
        [row for order, by_kind in seen.items() for row in rows_of(order, by_kind)],
        [f"{rounds} rounds of {number:,} exchanges, in turn. Both processes share the machine's cores."],
    )


def converge(log: str, real_data: Path, epochs: int, picture: Path | None) -> str:
    """Measure what is learned from stale rows."""
    seen = learned(log, real_data, STALENESS, epochs)
    best = seen["ddp"].ndcg
    rows = [
        Row(
            f"{way}: NDCG@10", [found.ndcg], f"(loss {found.losses[-1]:.3f}, staleness {found.staleness:.2f}, at most "
            f"{found.most:g}; √(2(τ+1)P) = {bound(way):.2f}; {found.pace:.1f} steps/s)",
            f">= {best * (1 - MOST_LOST):.4f}", found.ndcg >= best * (1 - MOST_LOST),
        )
        for way, found in seen.items()
    ]  # fmt: skip
    notes = [
        f"{epochs} passes, one seed; {TRAINERS} trainers, {SHARDS} shards. Trainers and shards share two cores here: "
        "more processes than cores is a test of scheduling, and steps a second are no measure of a cluster.",
        "√(2(τ+1)P) is what the bound on the regret grows with at equal samples (Ho et al., 2013, theorem 1); without "
        "a bound on staleness there is none. A step can be 2τ steps stale here, see ADR 53.",
    ]
    if picture is not None:
        drawn(log, seen, picture)
        notes.append(f"![{log}]({picture.name})")
    return section(
        f"What is learned from rows that are some steps old: {log}",
        "`make bench-ps`: the example's own network with `loss: sampled_softmax`, in every mode of the parameter "
        "server on equal samples. Judged are the users' last events.",
        rows,
        notes,
    )


def hold_back(real_data: Path, epochs: int) -> str:
    """Measure trainers of which one is held back."""
    seen = learned("shop", real_data, HELD_BACK, epochs, held_back=True)
    rows = [_held_back(way, found, seen["ddp"]) for way, found in seen.items()]
    return section(
        "One of two trainers is held back",
        "`make bench-ps`: on the shop, the second trainer stands still four fifths of the time.",
        rows,
        [f"{epochs} passes, one seed. What is learned in full is in the tables above."],
    )


def _held_back(way: str, found: Learned, ddp: Learned) -> Row:
    if found is ddp:
        return Row(way, [found.pace], "steps/s")
    return Row(f"{way}, of ddp", [found.pace / ddp.pace], "x", f">= {FASTER:g}", found.pace >= FASTER * ddp.pace)


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(prog="make bench-ps", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, nothing is written down")
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of the logs")
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS, help="some of it")
    given = parser.parse_args()
    for part in given.only:
        text = measured(part, given.real_data, is_quick=given.quick)
        print(text)
        if not given.quick:
            record(f"parameter-server-{part}", text)


def measured(part: str, real_data: Path, *, is_quick: bool) -> str:
    """Measure one part, and return its section."""
    if part == "travel":
        return travel(*((1, 50) if is_quick else (ROUNDS, EXCHANGES)))
    if part == "held-back":
        return hold_back(real_data, 1 if is_quick else HELD_PASSES)
    picture = None if is_quick else FILE.with_name(f"staleness-{part}.svg")
    return converge(part, real_data, 1 if is_quick else PASSES[part], picture)


if __name__ == "__main__":
    main()
