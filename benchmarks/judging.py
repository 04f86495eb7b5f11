"""What judging a large catalogue costs, beside code of before: ``python -m benchmarks.judging``, `make bench-judging`.

Both judge the same users in turns; the code of before is given fewer, as its pace is one of targets. Paces are those of
the targets that a larger window has more than a smaller one: starting, reading and counting cost the same for any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.beside import TODAY, Cost, run, worktree
from benchmarks.results import Row, record, section
from data_contracts.evidence import Judgement
from data_contracts.job import RESULT, read
from tasks.evaluate.judge import ENVIRONMENT

BEFORE = "22a4091"
FASTER, MEMORY = 5, 1_000
"""The bars: how many times the pace of before; MB of the process."""
PROGRAMS = ("judging_tables.py", "tables.py")
"""Make tables and weights by the code of before: that of today reads these, and not the other way round."""
ROUNDS = 1
SAME = 1e-3
"""Most that a metric of the same targets may differ by, relative: scores nearer than rounding are equal now."""


@dataclass(frozen=True)
class Judging:
    """One that was done.

    Attributes:
        cost: Of the whole process.
        found: What it told.
    """

    cost: Cost
    found: Judgement


def judge(tree: Path, folder: Path) -> Judging:
    """Judge by the code in ``tree`` what ``folder`` has a job for."""
    os.environ.update(ENVIRONMENT)
    cost = run(tree, "models.evaluate", [str(folder / "job.json")])
    found = read(folder / RESULT, Judgement)
    print(f"{tree.name}, {found.counts['targets']:,} targets: {cost}", flush=True)
    return Judging(cost, found)


def milliseconds_a_target(fewer: Judging, more: Judging) -> float:
    """Return the processor time of each target that ``more`` has more."""
    targets = more.found.counts["targets"] - fewer.found.counts["targets"]
    return 1_000 * (more.cost.processor - fewer.cost.processor) / targets


def difference(one: Judgement, other: Judgement, *, of_ranks: bool) -> float:
    """Return by how much any metric, of ranks or of lists, differs at most, relative to the larger one."""
    pairs = [
        (value, other.metrics[name][metric])
        for name, values in one.metrics.items()
        for metric, value in values.items()
        if metric.startswith("coverage") != of_ranks
    ]
    return max(0.0 if a == b else abs(a - b) / max(abs(a), abs(b)) for a, b in pairs)


def rows(today: Sequence[Sequence[Judging]], before: Sequence[Sequence[Judging]]) -> list[Row]:
    """Return the table: each round has what was judged of fewer and of more users, in this order."""
    few, many = today[0][1].found.counts["targets"], today[0][-1].found.counts["targets"]
    pace = [milliseconds_a_target(each[0], each[-1]) for each in today]
    pace_before = [milliseconds_a_target(each[0], each[-1]) for each in before]
    faster = [old / new for new, old in zip(pace, pace_before, strict=True)]
    memory = [each[-1].cost.memory for each in today]
    both = [(new[1].found, old[1].found) for new, old in zip(today, before, strict=True)]
    off = [difference(new, old, of_ranks=True) for new, old in both]
    lists_off = [difference(new, old, of_ranks=False) for new, old in both]
    return [
        Row("processor time of a target", pace, "ms"),
        Row(f"processor time of a target at {BEFORE}", pace_before, "ms"),
        Row(f"faster than {BEFORE}", faster, "x", f"≥ {FASTER} x", min(faster) >= FASTER),
        Row(f"{many:,} targets, processor", [each[-1].cost.processor for each in today], "s"),
        Row(f"{many:,} targets, wall clock", [each[-1].cost.wall for each in today], "s"),
        Row(f"{many:,} targets, memory", memory, "MB", f"≤ {MEMORY:,} MB", max(memory) <= MEMORY),
        Row(f"{few:,} targets, processor", [each[1].cost.processor for each in today], "s"),
        Row(f"{few:,} targets at {BEFORE}, processor", [each[1].cost.processor for each in before], "s"),
        Row(f"{few:,} targets at {BEFORE}, wall clock", [each[1].cost.wall for each in before], "s"),
        Row(f"{few:,} targets at {BEFORE}, memory", [each[1].cost.memory for each in before], "MB"),
        Row(f"{few:,} targets, largest difference of a metric", off, "", f"≤ {SAME:g}, relative", max(off) <= SAME),
        Row(f"{few:,} targets, largest difference of a coverage", lists_off, ""),
    ]  # fmt: skip


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judging", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, nothing is kept")
    is_quick = parser.parse_args().quick
    found: dict[Path, list[list[Judging]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-judging-") as name, worktree(BEFORE, Path(name) / BEFORE) as old:
        made = Path(name) / "made"
        for program in PROGRAMS:
            shutil.copy(TODAY / "benchmarks" / program, old / "benchmarks")
        run(old, "benchmarks.judging_tables", [str(made), *(["--quick"] if is_quick else [])])
        users = sorted((folder for folder in made.iterdir() if folder.name.isdigit()), key=lambda each: int(each.name))
        for number in range(ROUNDS):
            for tree in (TODAY, old)[:: -1 if number % 2 else 1]:
                judged = users if tree == TODAY else users[:-1]
                found[tree].append([judge(tree, folder) for folder in judged])
        today, before = found[TODAY], found[old]
    items = today[0][0].found.counts["servable_items"]
    text = section(
        "Judging a large catalogue",
        f"`make bench-judging`: {items:,} items, width 64; a network, popularity and Markov rank every item twice for "
        f"each target, live and as of the window's start. In turns with the code of {BEFORE}.",
        rows(today, before),
        [
            f"The code of before judged up to {before[0][-1].found.counts['targets']:,} targets, that of today up to "
            f"{today[0][-1].found.counts['targets']:,}. A target's time is that of those that the largest window has "
            "more than the smallest: what any window costs (torch, weights, counting pairs) is in neither.",
            "Which of equals is in a list of ten, and so in a coverage, nobody promises.",
            "Made-up logs, weights that are not trained. Both with threads that sleep while they wait, as judging has "
            "them now: where they spin, a busy machine makes either slower, by more than they differ.",
        ],
    )
    print(f"\n{text}")
    if not is_quick:
        record("bench-judging", text)


if __name__ == "__main__":
    main()
