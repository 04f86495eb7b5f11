"""A Dask worker of one machine that dies with whoever started it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

from distributed.deploy.subprocess import SubprocessWorker

from data_contracts.job import STARTER


class MortalWorker(SubprocessWorker):
    """Dask's own, started by ``models.job``: alone, it would go on for as long as its task does, with no scheduler."""

    async def _start(self) -> None:
        spec = json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs})
        command = ("-m", "models.job", "dask", "spec", self.scheduler, "--spec", spec)
        environment = {**os.environ, STARTER: str(os.getpid())}
        self.process = await asyncio.create_subprocess_exec(sys.executable, *command, env=environment)


def dask_setup(_worker: object) -> None:
    """Have a worker that starts not print what a task raises: whoever waits for the task says it, traceback and all."""
    logging.getLogger("distributed.worker").addFilter(lambda record: not str(record.msg).startswith("Compute Failed"))
