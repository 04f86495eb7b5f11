from __future__ import annotations

import os
import subprocess
import sys

import dask
import distributed  # noqa: F401  its defaults

from tasks.train.agent import tuned

BEFORE_SPAWN = "distributed.nanny.pre-spawn-environ"
STEPS = 200
FAULTS = """
import resource, torch
wide = torch.zeros(450, 256)
for step in range(2 * {steps}):
    if step == {steps}:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    changed = torch.nn.functional.gelu(wide * 2) + wide
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A few tensors of half a megabyte a step: counts how often the kernel gave pages for them."""


def test_a_step_takes_no_memory_from_the_kernel_that_the_step_before_had() -> None:
    """Dask's workers have theirs give it back at once, and an agent's environment is a worker's."""
    below_dask = {**os.environ, **{name: str(value) for name, value in dask.config.get(BEFORE_SPAWN).items()}}
    assert "MALLOC_TRIM_THRESHOLD_" in below_dask
    command = [sys.executable, "-c", FAULTS.format(steps=STEPS)]
    told = subprocess.run(command, env=below_dask | tuned(1), check=True, capture_output=True, text=True).stdout
    assert int(told) < STEPS
