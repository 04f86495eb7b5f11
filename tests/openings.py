"""Which Delta tables are opened meanwhile, by this process and by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from distributed import Client

_open = DeltaTable.__init__
_opened: list[str] = []


def _start() -> None:
    def counted(self: DeltaTable, table_uri: str, *rest: Any, **options: Any) -> None:
        _opened.append(Path(table_uri).name)
        _open(self, table_uri, *rest, **options)

    _opened.clear()
    DeltaTable.__init__ = counted


def _stop() -> list[str]:
    DeltaTable.__init__ = _open
    return list(_opened)


@contextmanager
def openings(cluster: str) -> Iterator[list[str]]:
    """Yield a list that has the name of each table opened meanwhile, as often as it was, once the block is left.

    Args:
        cluster: Address of a Dask scheduler.
    """
    found: list[str] = []
    with Client(cluster, set_as_default=False) as client:
        _start()
        client.run(_start)
        try:
            yield found
        finally:
            found += _stop()
            found += [name for names in client.run(_stop).values() for name in names]
