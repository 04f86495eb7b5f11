"""What two processes send in a step with a large catalogue: ``python -m benchmarks.sent FOLDER PARALLELISM``.

A program of few imports: `benchmarks.wire` runs it by the code of today, and by that of before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.sizes import LARGE, quick
from data_contracts.job import commit
from data_contracts.parallelism import ParallelismConfig

CLOCK = "clock.json"
"""What it leaves in its folder: the `Clock` of the first process."""


def main() -> None:
    """Train, and leave the clock."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sent", description=__doc__)
    parser.add_argument("folder", type=Path, help="of its own, made")
    parser.add_argument("parallelism", help="JSON: how the training is split")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    given = parser.parse_args()
    given.folder.mkdir()
    sizes = quick(LARGE) if given.quick else LARGE
    clocks = Lab(given.folder.absolute()).fit(sizes, ParallelismConfig.model_validate_json(given.parallelism))
    commit(clocks[0], given.folder / CLOCK)


if __name__ == "__main__":
    main()
