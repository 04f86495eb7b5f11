"""How long tests wait. They run on machines that have other things to do: none fails by time alone."""

from __future__ import annotations

import os

END_SECONDS = 10.0
"""Promised to whoever ends a night, on a machine that has the time: every process of it is gone."""
LONG_SECONDS = 600.0
"""For what comes in any case, a server or a job's step: only a hang takes longer."""


def patient(seconds: float) -> float:
    """Return these seconds as many times over as the machine has more to do than it has cores."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
