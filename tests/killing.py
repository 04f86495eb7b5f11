"""Break a night off in this very process, at a commit point: cheaper than a process of its own and a SIGKILL."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from data_contracts.commit_point import AFTER, BEFORE, EVENT
from data_contracts.recommender.promises import PROMISES
from data_contracts.risk.promises import PROMISES as RISK
from tests.parcels.contracts.promises import PROMISES as PARCELS

POINTS = (*BEFORE, *(contract.name for contract in (PROMISES.truth, *PROMISES.made)), *AFTER)
"""Every commit point of a night, in its order."""
Moment = Literal["before", "after"]


class Killed(BaseException):
    """The night ends here; no ``except Exception`` holds it up."""


class _Order(NamedTuple):
    at: tuple[str, Moment]
    disk: Path | None
    picture: Path


_armed: list[_Order] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    for order in _armed if event == EVENT else ():
        if arguments == order.at:
            if order.disk is not None and order.disk.exists():
                shutil.copytree(order.disk, order.picture, dirs_exist_ok=True)
            raise Killed(*arguments)


sys.addaudithook(_hear)  # for good: a hook cannot be taken away


@contextmanager
def killed_at(point: str, moment: Moment, *, disk: Path | None = None) -> Iterator[None]:
    """Raise `Killed` wherever this process reaches ``moment`` of ``point`` meanwhile.

    An exception tidies up on its way out, SIGKILL does not: ``disk``, a folder, is afterwards as it was at that moment.
    """
    assert point.removesuffix(" rewritten") in {
        *POINTS,
        *(contract.name for contract in RISK.made),
        *PARCELS.contracts,
    }, point
    with TemporaryDirectory() as picture:
        _armed.append(_Order((point, moment), disk, Path(picture)))
        try:
            yield
        except Killed:
            if disk is not None:
                shutil.rmtree(disk, ignore_errors=True)
                shutil.copytree(picture, disk)
            raise
        finally:
            _armed.clear()
