"""How well popularity and Markov do when they count what is recent: for several spans, on logs cut by time.

As nights do: what lies before a window is known, the window judges, then comes the next one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.counted import DAY, Flags, Floats, Log, Scores, judge
from benchmarks.logs import instruments, movielens, shop
from benchmarks.results import machine, record

SPANS = (1, 3, 7, 14, 30, 60, 90, 180, 365)
HALF_LIVES = (3, 7, 14, 30, 60, 90)
MIN_TARGETS = 20
WEIGHTS: dict[str, Callable[[Floats], Floats]] = {
    **{f"{days} days": lambda age, days=days: (age <= days).astype(float) for days in SPANS},  # type: ignore[misc]
    "all time": np.ones_like,
    **{f"half-life {days} days": lambda age, days=days: np.exp2(-age / days) for days in HALF_LIVES},  # type: ignore[misc]
}
"""Name to what an event weighs by its age, in days before the window."""


@dataclass(frozen=True)
class Nights:
    """A log and its last windows.

    Attributes:
        log: Its events.
        days: Of each window.
        count: Of windows.
    """

    log: Log
    days: int
    count: int

    def __iter__(self) -> Iterator[tuple[int, Flags]]:
        """Yield the beginning of each window, us, and its events, oldest first."""
        end = self.log.time.max() // DAY * DAY + DAY
        for number in reversed(range(self.count)):
            first, last = (end - (number + after) * self.days * DAY for after in (1, 0))
            events = (self.log.time >= first) & (self.log.time < last)
            if (events & ~self.log.repeats()).sum() >= MIN_TARGETS:
                yield first, events

    def judged(self, weight: Callable[[Floats], Floats]) -> list[float]:
        """Return the means over the windows: HR@10 and NDCG@10 of popularity, then of Markov."""
        found = []
        for first, events in self:
            known = self.log.time < first
            weights = np.where(known, weight((first - self.log.time) / DAY), 0.0)
            by_baseline = judge(self.log, Scores.count(self.log, weights, known), events, known)
            found.append([*by_baseline["popularity"], *by_baseline["markov"]])
        means: list[float] = np.mean(found, axis=0).tolist()
        return means


def table(nights: dict[str, Nights]) -> str:
    """Return it in Markdown: a line for each way of counting; popularity and Markov of every log."""
    lines = [
        f"| Counted | {' | '.join(f'{name}: popularity | Markov' for name in nights)} |",
        f"|---|{'---|---|' * len(nights)}",
    ]
    for name, weight in WEIGHTS.items():
        cells = []
        for of_log in nights.values():
            hit_rate, ndcg, markov_hit_rate, markov_ndcg = of_log.judged(weight)
            cells += [f"{hit_rate:.4f}, {ndcg:.4f}", f"{markov_hit_rate:.4f}, {markov_ndcg:.4f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Count, print, and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recent", description=__doc__)
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of the logs")
    folder: Path = parser.parse_args().real_data
    nights = {
        "ml-100k": Nights(movielens(folder), days=7, count=12),
        "musical instruments": Nights(instruments(folder), days=30, count=18),
        "shop": Nights(shop(21), days=1, count=7),
    }
    windows = ", ".join(f"{name} {of.count} x {of.days} d" for name, of in nights.items())
    intro = (
        f"`make bench-baselines`: HR@10, NDCG@10, means over the last windows of each log ({windows}; those with fewer "
        f"than {MIN_TARGETS} targets are left out). What lies before a window is known, and counts by its age."
    )
    text = f"## Popularity and Markov of what is recent\n\n{intro}\n\n{machine()}\n\n{table(nights)}\n"
    print(text)
    record("bench-recent", text)


if __name__ == "__main__":
    main()
