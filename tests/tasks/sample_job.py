"""A job for tests: says its lines, counts its runs, sleeps, and fails when told to."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from data_contracts.night import Value
from data_contracts.process import main

logger = logging.getLogger("sample")


class SampleJob(Value):
    folder: str
    lines: tuple[str, ...] = ()
    seconds: float = 0
    fails: bool = False
    silent: bool = False


class SampleResult(Value):
    runs: int
    threads: str


def work(job: SampleJob) -> SampleResult | None:
    runs = Path(job.folder) / "runs"
    before = runs.read_text() if runs.exists() else ""
    staged = runs.with_suffix(".staged")
    staged.write_text(f"{before}{os.getpid()}\n")
    staged.replace(runs)  # whoever sees it reads all of it
    for line in job.lines:
        logger.info(line)
    time.sleep(job.seconds)
    if job.fails:
        raise RuntimeError("the sample broke")
    if job.silent:
        return None
    return SampleResult(runs=len(runs.read_text().splitlines()), threads=os.environ.get("OMP_NUM_THREADS", ""))


if __name__ == "__main__":
    main(SampleJob, work)
