"""One Dask cluster for the night, or the address of one that is there already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, Field, PositiveInt


class ClusterConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the night's Dask work runs."""

    address: str | None = Field(None, description="Scheduler of a running cluster; a local one is opened when omitted.")
    workers: PositiveInt = Field(2, description="Worker processes of the local cluster, one thread each.")
    memory_limit: str = Field("2GiB", description="Of each local worker; it spills, then pauses, then restarts.")
    dashboard_port: int = Field(8787, ge=0, le=65535, description="Of the local cluster's dashboard; 0 takes any free.")


@contextmanager
def dask_cluster(config: ClusterConfig) -> Iterator[str]:
    """Yield the scheduler's address; a cluster opened here is closed here.

    Raises:
        OSError: No scheduler answers at ``config.address``.
    """
    from distributed import Client, LocalCluster

    if config.address is not None:
        with Client(config.address, timeout="10s", set_as_default=False):
            yield config.address
        return
    with LocalCluster(
        n_workers=config.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        memory_limit=config.memory_limit,
        dashboard_address=f"127.0.0.1:{config.dashboard_port}",
        silence_logs="ERROR",
    ) as cluster:
        yield cluster.scheduler_address
