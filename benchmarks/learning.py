"""What code of before and of today learn, side by side: ``make bench-learning``.

Both train at once, a thread each, on the same logs by leave-one-out, each as its own examples say.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.beside import TODAY, run, worktree
from benchmarks.results import Row, record, section

BEFORE = "37305d500246692f85cb4a85cc16c1cd44b81911"
"""The last commit before rows became a thing of their own."""
LAST = 50
"""Steps whose mean loss is compared."""


class Trial(NamedTuple):
    """What both do.

    Attributes:
        log: Example.
        seconds: Of processor time; as long as the example says when None.
        pace: How much faster examples are to be taken, x; None where it is not looked at.
        quality: By what the later NDCG@10 is to be better, x; None likewise.
    """

    log: str
    seconds: float | None
    pace: float | None
    quality: float | None


TRIALS = (
    Trial("ml-100k", 90.0, pace=2.5, quality=1.35),
    Trial("ml-100k", None, pace=None, quality=1.05),
    Trial("amazon-beauty", 60.0, pace=3, quality=None),
    Trial("musical-instruments", 40.0, pace=3, quality=None),
)


def measured(tree: Path, folder: Path, data: Path, trial: Trial) -> dict[str, Any]:
    """Run one trial with the code of a tree."""
    limit = [] if trial.seconds is None else ["--seconds", str(trial.seconds)]
    home = folder / trial.log
    run(tree, "benchmarks.learned", [trial.log, "--real-data", str(data), "--folder", str(home), *limit])
    told = home / f"run-0-{trial.seconds}" / "learned.json"
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return found


def rows_of(trial: Trial, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Row]:
    """Turn what both came to into lines of the table."""
    limit = "to the end" if trial.seconds is None else f"{trial.seconds:.0f} s of a processor"
    name = f"{trial.log}, {limit}"
    if trial.pace is not None:
        ratio = new["pace"] / old["pace"]
        yield Row(f"{name}: examples a second, before", [old["pace"]], "/s")
        yield Row("today", [new["pace"]], "/s")
        yield Row("over before", [ratio], "x", f">= {trial.pace} x", ratio >= trial.pace)
        steps = min(len(old["losses"]), len(new["losses"]))
        before, today = (float(np.mean(each["losses"][max(steps - LAST, 0) : steps])) for each in (old, new))
        yield Row(f"loss around step {steps:,}, before", [before], "nats")
        yield Row("today", [today], "nats", "<= before", today <= before)
    yield Row(f"{name}: NDCG@10, before ({old['epochs']} epochs, {old['processor']:.0f} s)", [old["ndcg@10"]], "")
    yield Row(f"today ({new['epochs']} epochs, {new['processor']:.0f} s)", [new["ndcg@10"]], "")
    if trial.quality is not None:
        ratio = new["ndcg@10"] / old["ndcg@10"]
        yield Row("over before", [ratio], "x", f">= {trial.quality} x", ratio >= trial.quality)


def main() -> None:
    """Measure, print, and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="folder of the logs")
    parser.add_argument("--timed", action="store_true", help="leave out the trainings to their end, 12 of 25 min")
    told = parser.parse_args()
    data = told.real_data.absolute()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-learning-") as name:
        folder = Path(name)
        with worktree(BEFORE, folder / "tree") as before, ThreadPoolExecutor(2) as pool:
            for trial in [each for each in TRIALS if each.seconds or not told.timed]:
                both = [(before, folder / "before", data, trial), (TODAY, folder / "today", data, trial)]
                old, new = pool.map(measured, *zip(*both, strict=True))
                rows += rows_of(trial, old, new)
    text = section("What is learned in a time", f"`make bench-learning`, beside commit {BEFORE[:12]}.", rows, NOTES)
    print(f"\n{text}")
    record("bench-learning", text)


NOTES = (
    "Both train at once, one process and one thread each, with the settings of their own examples; ml-100k with L 200.",
    "An example is a row of table `examples`. Processor time holds validation, checkpoints and the ledger; the pace "
    "leaves out what lies between two epochs.",
)

if __name__ == "__main__":
    main()
