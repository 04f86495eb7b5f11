"""A Dask worker of one machine that dies with whoever started it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping

import psutil
from distributed.deploy.subprocess import SubprocessWorker

from data_contracts.process import COMMAND, STARTER

SELF_CHECKS: Mapping[str, str | bool] = {
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.worker.profile.enabled": False,
}
"""How often Dask looks at itself: of its own accord so often that a worker that waits takes a twentieth of a core."""
POLARS_THREADS = "POLARS_MAX_THREADS"
"""As many as the worker itself has: its neighbours work on the other cores."""
AGAIN_SECONDS = 0.05
"""After which a worker that was about to end is looked at again."""


class MortalWorker(SubprocessWorker):
    """Dask's own, a `data_contracts.process`: alone, it would go on for as long as its task does, with no scheduler."""

    async def _start(self) -> None:
        spec = json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs})
        command = (*COMMAND, "dask", "spec", self.scheduler, "--spec", spec)
        threads = str(self.worker_kwargs["nthreads"])
        own = {**os.environ, **environment(), POLARS_THREADS: threads, STARTER: str(os.getpid())}
        self.process = await asyncio.create_subprocess_exec(*command, env=own)

    async def close(self) -> None:
        """End it; where a process of it is gone a moment before it is looked for, look again."""
        try:
            await super().close()
        except (psutil.NoSuchProcess, ProcessLookupError):
            await asyncio.sleep(AGAIN_SECONDS)
            await self.close()


def environment() -> dict[str, str]:
    """Return the variables that tell another Dask process of `SELF_CHECKS`."""
    return {
        f"DASK_{key.replace('.', '__').replace('-', '_').upper()}": str(value) for key, value in SELF_CHECKS.items()
    }


def dask_setup(_worker: object) -> None:
    """Have a worker that starts not print what a task raises: whoever waits for the task says it, traceback and all."""
    logging.getLogger("distributed.worker").addFilter(lambda record: not str(record.msg).startswith("Compute Failed"))
