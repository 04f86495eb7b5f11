"""What popularity and Markov come to by leave-one-out, counted by a script that shares no code with what is tested.

A user's last event is the test, the one before it is validation, all others are counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.counted import Log, Scores, judge
from benchmarks.logs import instruments, movielens
from benchmarks.results import machine, record

HIDDEN = (None, 200, 50)
"""How many of a user's last events are hidden: all, or as many as a history remembers."""


def leave_one_out(log: Log, hidden: int | None) -> dict[str, tuple[float, float]]:
    """Return baseline to HR@10 and NDCG@10."""
    end = np.cumsum(np.bincount(log.user))[log.user]
    from_end = end - 1 - np.arange(len(log.user))
    counted, known = from_end > 1, from_end > 0
    return judge(log, Scores.count(log, counted.astype(float), counted), from_end == 0, known, hidden=hidden)


def table(logs: dict[str, Log]) -> str:
    """Return it in Markdown."""
    lines = [
        "| Log | Share a moment | Hidden | Popularity HR@10, NDCG@10 | Markov HR@10, NDCG@10 |",
        "|---|---|---|---|---|",
    ]
    for name, log in logs.items():
        for hidden in HIDDEN:
            found = leave_one_out(log, hidden)
            popularity, markov = (", ".join(f"{value:.4f}" for value in found[of]) for of in ("popularity", "markov"))
            what = "all seen" if hidden is None else f"the last {hidden}"
            lines.append(f"| {name} | {log.shared:.0%} | {what} | {popularity} | {markov} |")
    return "\n".join(lines)


def main() -> None:
    """Count, print, and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of the logs")
    folder: Path = parser.parse_args().real_data
    logs = {"ml-100k": movielens(folder), "musical instruments": instruments(folder)}
    intro = (
        "`make bench-baselines`: leave-one-out, every item ranked, ties at half rank; events of one moment are in the "
        "order of a hash (ADR 24). Share a moment: events whose user has another one at the same time."
    )
    text = f"## Popularity and Markov by leave-one-out\n\n{intro}\n\n{machine()}\n\n{table(logs)}\n"
    print(text)
    record("bench-reference", text)


if __name__ == "__main__":
    main()
