"""One shard's process: ``python -m models.distributed.parameter_server.serve job.json``; it serves until it is ended.

It knows nothing of a training until one begins, and forgets it when another one does.
"""

from __future__ import annotations

import torch

from data_contracts.parameter_server import ShardJob
from data_contracts.process import call, main
from models.distributed.parameter_server.placement import settle
from models.distributed.parameter_server.service import ShardService


def serve(job: ShardJob) -> None:
    """Listen on any free port, and say where; never returns."""
    call(f"shard {job.rank}")
    torch.set_num_threads(1)
    service = ShardService(job.host)
    settle(job.store, job.rank, service.endpoint)
    service.serve()


if __name__ == "__main__":
    main(ShardJob, serve)
