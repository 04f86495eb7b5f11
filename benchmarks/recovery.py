"""How soon a training goes on after one of its ranks was killed: ``make bench-recovery``; as root, for two hosts.

A training on a Dask cluster, as a night has it; two hosts are network namespaces of this machine. Ranks are killed by
SIGKILL, one after the other; each time counts from the kill to the next step that any rank has in the ledger.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.lab import Lab
from benchmarks.results import Row, record, section
from benchmarks.sizes import WIRE
from data_contracts.job import LEDGER
from data_contracts.parallelism import ParallelismConfig
from models.ledger import starts_in
from tests.integration.namespaces import FIRST, SECOND, two_hosts
from tests.tasks.train.hosts import Hosts, Place, Training, hosts, kill

KILLS = 5
BETWEEN = 60
"""Steps that a training does before each kill: more than an epoch, so that there is a checkpoint."""
BARS = {1: 4.0, 2: 6.0}
"""Seconds, by the number of hosts."""
LONG = replace(WIRE, epochs=10_000)
"""It is ended, not done."""


@contextmanager
def cluster(number: int) -> Iterator[tuple[Hosts, Place]]:
    """Run a cluster of so many hosts; yield it, and where its driver runs."""
    if number == 1:
        with hosts("127.0.0.1") as made:
            yield made, ("env",)
        return
    with two_hosts() as two:
        places = {address: host.place for address, host in two.items()}
        with hosts(FIRST, SECOND, scheduler_host=SECOND, places=places) as made:
            yield made, places[SECOND]


def recoveries(lab: Lab, number: int, kills: int) -> list[float]:
    """Return the seconds after each kill, of a training by two ranks on so many hosts."""
    told = ParallelismConfig(processes_per_node=2 // number, min_nodes=number, max_nodes=number)
    with cluster(number) as (made, place):
        training = Training(made.scheduler, lab.job(LONG, told), place)
        try:
            return [_recovery(training, which % 2) for which in range(kills)]
        finally:
            for driver in training.processes("tests.tasks.train.driver"):
                kill(driver)
            training.is_gone()


def _recovery(training: Training, which: int) -> float:
    """Kill one of the ranks, and return the seconds to the next step."""
    training.until(lambda: _steps(training)[1] >= BETWEEN)
    rank = training.ranks()[which]
    name, (start, done) = rank.name(), _steps(training)
    training.until(lambda: _steps(training)[1] > done)
    killed = time.monotonic()
    kill(rank)
    training.until(lambda: _steps(training) > (start + 1, 0))
    seconds = time.monotonic() - killed
    print(f"{training.job.parallelism.max_nodes} hosts, {name} killed: {seconds:.2f} s", flush=True)
    return seconds


def _steps(training: Training) -> tuple[int, int]:
    """Return the number of the newest start, and how many steps any rank has done since; both 0 before the first."""
    starts = starts_in(Path(training.job.run_folder) / LEDGER)
    newest = max(starts, default=0)
    return newest, max((file.read_bytes().count(b"\n") for file in starts.get(newest, ())), default=0)


def rows_of(seen: dict[int, list[float]]) -> list[Row]:
    """Turn the seconds after each kill into lines of the table."""
    names = {1: "one host, two ranks", 2: "two hosts, a rank on each"}
    return [
        Row(names[number], seconds, "s", f"<= {BARS[number]:g} s", median(seconds) <= BARS[number])
        for number, seconds in seen.items()
    ]


def main() -> None:
    """Measure, print, and keep the table unless it was a quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one kill on each, nothing is kept")
    is_quick = parser.parse_args().quick
    load, seen = os.getloadavg()[0], {}
    with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder:
        lab = Lab(Path(folder))
        for number in BARS:
            seen[number] = recoveries(lab, number, 1 if is_quick else KILLS)
    intro = f"`make bench-recovery`: {WIRE}; {KILLS} kills on each; load {load:.1f} before."
    text = section("A killed rank", intro, rows_of(seen), NOTES)
    print(f"\n{text}")
    if not is_quick:
        record("bench-recovery", text)


NOTES = (
    "From SIGKILL to the first step that any rank has in the ledger afterwards, read every 50 ms. Both ranks start "
    "anew, from the newest checkpoint: the step may be one that had been done before.",
    "Two hosts are network namespaces of one machine, and have its cores together.",
)

if __name__ == "__main__":
    main()
