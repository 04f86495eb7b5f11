from __future__ import annotations

import subprocess
import sys

import dask
import distributed  # noqa: F401  its defaults
import pytest

from tasks.train.agent import surroundings

BEFORE_SPAWN = "distributed.nanny.pre-spawn-environ"
STEPS = 200
FAULTS = f"""
import resource, torch
wide = torch.zeros(450, 256)
for step in range(2 * {STEPS}):
    if step == {STEPS}:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    changed = torch.nn.functional.gelu(wide * 2) + wide
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A few tensors of half a megabyte a step: counts how often the kernel gave pages for them."""


def test_a_step_takes_no_memory_from_the_kernel_that_the_step_before_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's workers give it back at once, and an agent is started by one."""
    for name, value in dask.config.get(BEFORE_SPAWN).items():
        monkeypatch.setenv(name, str(value))
    command = [sys.executable, "-c", FAULTS]
    environment = surroundings("127.0.0.1", threads=1, store="127.0.0.1:1")
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert int(told) < STEPS
