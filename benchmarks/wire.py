"""What travels between two processes in a step, beside what they learn from equal samples: ``make bench-wire``.

Bytes are those of the loopback interface, both directions together, so it runs in a network namespace of its own:
nothing else sends there. With a large catalogue code of before is measured too: it added gradients of all rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import psutil

from benchmarks.beside import TODAY, run, worktree
from benchmarks.clock import Clock
from benchmarks.lab import Lab
from benchmarks.results import Row, machine, record, section
from benchmarks.sent import CLOCK
from benchmarks.sizes import LARGE, WIRE, Sizes, quick
from data_contracts.job import read
from data_contracts.parallelism import ParallelismConfig

WAYS: dict[str, dict[str, object]] = {
    "ddp": {},
    "ddp, gradients as bfloat16": {"gradients": "bfloat16"},
    "ddp, weights averaged every 4 steps": {"average_every": 4},
    "ddp, weights averaged every 16 steps": {"average_every": 16},
    "fsdp": {"strategy": "fsdp"},
    "fsdp, gradients as bfloat16": {"strategy": "fsdp", "gradients": "bfloat16"},
    "pipeline of 2, 1f1b": {"strategy": "pipeline", "pipeline_stages": 2},
}
TWO = {"processes_per_node": 2}
BEFORE = "37305d500246"
"""The last commit before rows became a thing of their own."""
ROWS = ("local", "sharded")
SHARE = 0.5
"""The bar: what sharded rows may send, of what `ddp` sent before."""
LAST = 0.1
"""Share of all steps, at the end, whose mean loss is said."""


def bytes_a_step(clock: Clock, left_out: int) -> float:
    """Return what was sent in a step, on average."""
    sent = clock.sent[left_out:]
    return (sent[-1] - sent[0]) / (len(sent) - 1)


def last_loss(losses: Sequence[float]) -> float:
    """Return the mean loss of the last steps."""
    return mean(losses[-max(round(len(losses) * LAST), 1) :])


def table(found: dict[str, tuple[float, float]]) -> str:
    """Return it in Markdown: bytes and loss of every way, beside the first one's."""
    first, wanted = next(iter(found.values()))
    lines = [
        "| Two processes | Sent in a step | of `ddp`'s | Loss at the end | over `ddp`'s |",
        "|---|---|---|---|---|",
    ]
    for name, (sent, loss) in found.items():
        lines.append(f"| {name} | {sent / 1e6:.3f} MB | {sent / first:.2f} | {loss:.4f} | {loss - wanted:+.4f} |")
    return "\n".join(lines)


def large(folder: Path, *, is_quick: bool) -> dict[str, float]:
    """Return the bytes of a step with a large catalogue, by code of before and by each place that rows may lie in."""
    with worktree(BEFORE, folder / "tree") as before:
        for program in ("sent.py", "sizes.py"):
            shutil.copy(TODAY / "benchmarks" / program, before / "benchmarks")
        todo = [(BEFORE, before, TWO), *((rows, TODAY, TWO | {"rows": rows}) for rows in ROWS)]
        found, options = {}, ["--quick"] if is_quick else []
        left_out = (quick(LARGE) if is_quick else LARGE).left_out
        for name, tree, parallelism in todo:
            run(tree, "benchmarks.sent", [str(folder / name), json.dumps(parallelism), *options])
            found[name] = bytes_a_step(read(folder / name / CLOCK, Clock), left_out)
            print(f"large catalogue, {name}: {found[name]:,.0f} bytes a step", flush=True)
    return found


def rows_of(sent: dict[str, float]) -> list[Row]:
    """Turn the bytes of a step with a large catalogue into lines of the table."""
    of_before, of_local = sent["sharded"] / sent[BEFORE], sent["sharded"] / sent["local"]
    return [
        Row(f"`ddp` of {BEFORE}", [sent[BEFORE] / 1e6], "MB"),
        *(Row(f"`ddp`, `rows: {rows}`", [sent[rows] / 1e6], "MB") for rows in ROWS),
        Row(f"`sharded` over {BEFORE}", [of_before], "x", f"<= {SHARE} x", of_before <= SHARE),
        Row("`sharded` over `local`", [of_local], "x"),
    ]


def main() -> None:
    """Measure, print, and keep the tables unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, nothing is kept")
    is_quick = parser.parse_args().quick
    if set(psutil.net_if_addrs()) - {"lo"}:
        sys.exit("other interfaces than `lo` are here, so others may send: run it by `make bench-wire`, as root.")
    sizes: Sizes = quick(WIRE) if is_quick else WIRE
    found = {}
    with tempfile.TemporaryDirectory(prefix="bench-wire-") as folder:
        sent = large(Path(folder), is_quick=is_quick)
        lab = Lab(Path(folder))
        for name, way in WAYS.items():
            clocks = lab.fit(sizes, ParallelismConfig.model_validate(TWO | way))
            found[name] = bytes_a_step(clocks[0], sizes.left_out), last_loss(clocks[0].losses)
            print(f"{name}: {found[name][0]:,.0f} bytes a step, loss {found[name][1]:.4f}", flush=True)
    intro = (
        f"`make bench-wire`: {sizes}, {sizes.epochs} epochs; bytes of both processes together, TCP's own among them; "
        f"the loss is the mean of the last {LAST:.0%} of the steps."
    )
    text = f"## What travels\n\n{intro}\n\n{machine()}\n\n{table(found)}\n"
    beside = section("What travels with a large catalogue", f"`make bench-wire`: {LARGE}.", rows_of(sent), NOTES)
    print(f"\n{text}\n{beside}")
    if not is_quick:
        record("bench-wire", text)
        record("bench-wire-large", beside)


NOTES = (
    "Two processes; bytes of a step of both together, TCP's own among them, on average. 100,240 of the items are met "
    "by somebody, and have a row.",
    f"The code of {BEFORE} added gradients of all rows in every step. That of today sends those of the step's rows, "
    "however many there are; where they are sharded, their values too, but neither to the process that has them.",
)

if __name__ == "__main__":
    main()
