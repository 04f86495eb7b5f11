"""`models.fit` as it is shipped, beside a clock: ``benchmarks.clocked job.json``, started like `models.fit`.

Nothing of the product is changed. Steps are heard at their commit point; how long batches are waited for, and when the
stages of a pipeline are at work, is heard around the loader's ``next()`` and around torch's own stages.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import psutil
from torch.distributed.pipelining.schedules import _PipelineSchedule
from torch.distributed.pipelining.stage import _PipelineStageBase

from benchmarks.clock import Clock, clock_of
from data_contracts.commit_point import EVENT
from data_contracts.job import LEDGER, FitJob, commit, read
from data_contracts.process import main
from models.audit import account
from models.batches import Batches
from models.fit import fit
from models.layered import Batch

Given = ParamSpec("Given")
Got = TypeVar("Got")


_steps: list[float] = []
_worked: list[float] = []
_sent: list[int] = []
_waits: list[float] = []
_busy: list[tuple[float, float]] = []


def listen() -> None:
    """Begin to note what happens."""
    sys.addaudithook(_hear)
    Batches.__iter__ = _waited(Batches.__iter__)  # type: ignore[method-assign]
    for method in ("forward_one_chunk", "backward_one_chunk"):
        setattr(_PipelineStageBase, method, _timed(getattr(_PipelineStageBase, method)))
    _PipelineSchedule._compute_loss = _timed(_PipelineSchedule._compute_loss)  # type: ignore[method-assign]


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == EVENT and arguments == ("step", "before"):
        _steps.append(time.perf_counter())
        _worked.append(time.process_time())
        _sent.append(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)


def _waited(iterate: Callable[[Batches], Iterator[Batch]]) -> Callable[[Batches], Iterator[Batch]]:
    @functools.wraps(iterate)
    def waited(loader: Batches) -> Iterator[Batch]:
        batches = iterate(loader)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            _waits.append(time.perf_counter() - start)
            yield batch

    return waited


def _timed(work: Callable[Given, Got]) -> Callable[Given, Got]:
    @functools.wraps(work)
    def timed(*args: Given.args, **kwargs: Given.kwargs) -> Got:
        start = time.perf_counter()
        done = work(*args, **kwargs)
        _busy.append((start, time.perf_counter()))
        return done

    return timed


def leave(job: FitJob, rank: int) -> None:
    """Write down what was noted."""
    seen = account(Path(job.run_folder) / LEDGER).steps
    found = Clock(
        steps=tuple(_steps),
        worked=tuple(_worked),
        sent=tuple(_sent),
        waits=tuple(_waits),
        busy=tuple(_busy),
        losses=tuple(seen[step].loss for step in sorted(seen)),
    )
    commit(found, clock_of(job, rank))


if __name__ == "__main__":
    listen()
    main(FitJob, fit)
    leave(read(Path(sys.argv[1]), FitJob), int(os.environ["RANK"]))
