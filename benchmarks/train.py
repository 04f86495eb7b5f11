"""How fast trainings are, side by side: ``python -m benchmarks.train``, started by ``make bench-train``.

Every round runs everything once, every other round backwards; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.clock import Clock
from benchmarks.lab import CHECKPOINTS, Lab
from benchmarks.pace import bubble, pace, rows_a_second, waiting, wanted_bubble, work
from benchmarks.results import Row, record, section
from benchmarks.sizes import PIPED, SHORT, TRAIN, Sizes, quick
from data_contracts.parallelism import ParallelismConfig, Schedule

ROUNDS = 3
STAGES, MICROBATCHES = 2, 4
PIPELINE = ParallelismConfig(
    strategy="pipeline", processes_per_node=STAGES, pipeline_stages=STAGES, microbatches=MICROBATCHES
)
SCHEDULES: tuple[Schedule, ...] = ("gpipe", "1f1b")
SAME_LOSS = 1e-3
PEERS = {
    f"RecTools' {kind}SASRec, {name}": (loss, bool(kind))
    for name, loss in (("sampled softmax", "sampled_softmax"), ("full softmax", "softmax"))
    for kind in ("", "flat ")
}
"""Name to the loss, and whether it is the flat one."""
COST, WAITING, SPEED_UP, POINTS = 0.05, 0.03, 1.7, 0.10
"""The bars: of Lightning and the loader, of waiting for data, of two processes, of the bubble off its formula."""

Numbers = dict[str, float]


class Bench:
    """Everything that a round measures, by name.

    Args:
        lab: Where it is measured.
        train: Sizes of most trainings.
        short: Sizes where a peer is slow.
        piped: Sizes of pipelines.
    """

    def __init__(self, lab: Lab, train: Sizes, short: Sizes, piped: Sizes) -> None:
        self.lab, self.train, self.short, self.piped = lab, train, short, piped
        self._losses: dict[str, Sequence[float]] = {}

    def rounds(self, count: int) -> dict[str, list[float]]:
        """Measure everything ``count`` times, every other time backwards, and say so line by line."""
        seen: dict[str, list[float]] = defaultdict(list)
        began = time.monotonic()
        for number in range(count):
            for name, measure in list(self.parts().items())[:: -1 if number % 2 else 1]:
                numbers = measure()
                for what, value in numbers.items():
                    seen[what].append(value)
                shown = ", ".join(f"{what} {value:.4g}" for what, value in numbers.items())
                print(f"{time.monotonic() - began:5.0f} s, round {number + 1}/{count}, {name}: {shown}", flush=True)
        return seen

    def parts(self) -> dict[str, Callable[[], Numbers]]:
        """Return what is measured, in order."""
        return {
            "models.fit, one process": lambda: self._alone("fit", self.lab.fit(self.train)[0]),
            "bare PyTorch loop": lambda: self._alone("bare", self.lab.run("benchmarks.bare", self.train)),
            "models.fit, two processes": self._two,
            "loader alone": self._loader,
            "models.fit, full softmax": self._full,
            **{name: partial(self._peer, name) for name in PEERS},
            **{f"pipeline, {schedule}": partial(self._pipeline, schedule) for schedule in SCHEDULES},
        }

    def _alone(self, name: str, clock: Clock) -> Numbers:
        self._losses[name] = clock.losses
        if len(self._losses) > 1:
            _compare(self._losses["fit"], self._losses["bare"])
        seen = {name: pace(clock, self.train), f"{name} work": work(clock, self.train)}
        return seen | ({"waiting": waiting(clock, self.train)} if clock.waits else {})

    def _two(self) -> Numbers:
        return {"two": pace(self.lab.fit(self.train, ParallelismConfig(processes_per_node=2))[0], self.train)}

    def _loader(self) -> Numbers:
        return {"rows": rows_a_second(self.lab.run("benchmarks.loader", self.train), self.train)}

    def _full(self) -> Numbers:
        return {"full": pace(self.lab.fit(self.short, full_softmax=True)[0], self.short)}

    def _peer(self, name: str) -> Numbers:
        loss, flat = PEERS[name]
        return {name: pace(self.lab.train_peer(self.short, loss, flat=flat), self.short)}

    def _pipeline(self, schedule: Schedule) -> Numbers:
        clocks = self.lab.fit(self.piped, PIPELINE.model_copy(update={"schedule": schedule}))
        every, busiest = bubble(clocks, self.piped.left_out)
        return {schedule: every, f"{schedule} busiest": busiest}


def _compare(fit: Sequence[float], bare: Sequence[float]) -> None:
    """Check that both did the same work.

    Raises:
        ValueError: They came to other losses.
    """
    if len(fit) != len(bare) or not np.allclose(fit, bare, rtol=SAME_LOSS):
        raise ValueError(
            f"the bare loop does not train as `models.fit` does: {len(bare):,} steps to loss {bare[-1]:.4f}, and "
            f"{len(fit):,} to {fit[-1]:.4f}. Compare benchmarks/bare.py with models/fit.py."
        )


def rows_of(seen: Mapping[str, list[float]]) -> list[Row]:
    """Turn the numbers of all rounds into the table."""
    cost, work_cost = _ratio(seen, "bare", "fit", -1), _ratio(seen, "fit work", "bare work", -1)
    speed_up, waits, wanted = _ratio(seen, "two", "fit"), seen["waiting"], wanted_bubble(STAGES, MICROBATCHES)
    rows = [
        Row("`models.fit`, one process", seen["fit"], "samples/s"),
        Row("bare PyTorch loop, to the same losses", seen["bare"], "samples/s"),
        Row("cost of Lightning, loader, ledger, checkpoints", cost, "%", f"<= {COST:.0%}", median(cost) <= COST),
        Row("the same in processor time", work_cost, "%"),
        Row("time waiting for data", waits, "%", f"<= {WAITING:.0%}", median(waits) <= WAITING),
        Row("loader alone", seen["rows"], "rows/s"),
        Row("DDP, two processes", seen["two"], "samples/s"),
        Row("over one process", speed_up, "x", f">= {SPEED_UP} x", median(speed_up) >= SPEED_UP),
    ]
    for schedule in SCHEDULES:
        off = abs(median(seen[schedule]) - wanted)
        bar = f"{wanted:.0%} +- {100 * POINTS:.0f} points"
        rows += [
            Row(f"bubble, `{schedule}`", seen[schedule], "%", bar, off <= POINTS),
            Row("of it the busiest stage's", seen[f"{schedule} busiest"], "%"),
        ]
    rows.append(Row("`models.fit`, full softmax", seen["full"], "samples/s"))
    for name, (loss, _) in PEERS.items():
        own = "full" if loss == "softmax" else "fit"
        rows += [Row(name, seen[name], "samples/s"), Row("`models.fit` over it", _ratio(seen, own, name), "x")]
    return rows


def _ratio(seen: Mapping[str, list[float]], above: str, below: str, plus: float = 0) -> list[float]:
    return [one / other + plus for one, other in zip(seen[above], seen[below], strict=True)]


def notes(bench: Bench) -> list[str]:
    """Say what must be known to read the table."""
    every = f"{CHECKPOINTS.every_seconds:.0f}"
    return [
        f"Every process has one thread and the same environment. The first {bench.train.left_out} steps of a training "
        f"do not count. A checkpoint is saved every {every} s, three times as often as by default, so that some are "
        "measured. No user validates.",
        "The bare loop has its batches padded in memory beforehand, and saves nothing.",
        f"The pipeline: {STAGES} stages, {MICROBATCHES} microbatches, {bench.piped}. A stage's idle time runs from the "
        "first moment of a step's schedule that any stage computes to the last; transfers count as idle, and so does "
        "waiting for a stage that costs more, which the busiest one does not.",
        f"RecTools 0.19.0 (torch 2.13.0, Lightning 2.5.2) trains {bench.short.users:,} users for an epoch; so does "
        "`models.fit` with full softmax. It pads every row to L, draws negatives anew for every position, has learned "
        "places, Adam, and neither clipping nor warm-up.",
        "RecTools' flat network (`rectools.fast_transformers`) does so too, and has a feed-forward layer of 4 D where "
        "ours has D. It comes without a trainer: a bare loop trains it. With sampled softmax it needs 14 GB.",
        "RecBole makes an example of every event, so examples a second are not comparable.",
    ]


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train")
    parser.add_argument("--peer", type=Path, required=True, help="Python of the environment with RecTools")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing is kept")
    given = parser.parse_args()
    sizes = [quick(each) if given.quick else each for each in (TRAIN, SHORT, PIPED)]
    rounds = 1 if given.quick else given.rounds
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        bench = Bench(Lab(Path(folder), given.peer.absolute()), *sizes)
        seen = bench.rounds(rounds)
    intro = f"`make bench-train`: {bench.train}. {rounds} rounds; load {load:.1f} before."
    text = section("Training", intro, rows_of(seen), notes(bench))
    print(f"\n{text}")
    if not given.quick:
        record("bench-train", text)


if __name__ == "__main__":
    main()
