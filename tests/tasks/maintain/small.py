"""Upkeep of tables without a registry: what changes files, and no row."""

from __future__ import annotations

from contextlib import nullcontext

from distributed import Client

from data_contracts.night import Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.maintain.compact import Compacted, compact

MB = 10**6


def keep_small(home: Workspace, cluster: str) -> dict[str, Compacted]:
    """Put the small files of every table together, and return what became of them."""
    promised = promises(home.use_case)
    tables = (Table(home.tables, contract) for contract in promised.contracts.values())
    with Client(cluster, set_as_default=False) as client:
        return {
            table.contract.name: compact(client, home, promised, table, MB, nullcontext())
            for table in tables
            if table.version() is not None and not table.contract.keeps_itself_small
        }
