"""What a measured process leaves behind."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from data_contracts.job import FitJob
from data_contracts.night import Value


class Clock(Value):
    """When what happened in one process; seconds of a clock that all processes of a host share."""

    steps: tuple[float, ...] = Field(description="Ends of the steps.")
    worked: tuple[float, ...] = Field((), description="Seconds that processors had worked for it by then.")
    sent: tuple[int, ...] = Field((), description="Bytes sent over the loopback by then, by whoever.")
    waits: tuple[float, ...] = Field((), description="Seconds that each batch was waited for.")
    busy: tuple[tuple[float, float], ...] = Field((), description="From when to when a pipeline's stage computed.")
    losses: tuple[float, ...] = Field((), description="Of the steps, over all processes.")


def clock_of(job: FitJob, rank: int) -> Path:
    """Return the file that a process of a training leaves its `Clock` in."""
    return Path(job.run_folder) / f"clock-{rank}.json"
