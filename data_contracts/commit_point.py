"""Commit points: where a night may be killed, before or after, and run again as if nothing had happened.

Each is an audit event (PEP 578), heard by nobody in service. A test's hook hears it in whatever process it happens, and
kills the night there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

EVENT = "nightshift.commit_point"
"""Audit event; its arguments are the point's name and ``"before"`` or ``"after"``."""

BEFORE = ("staging", "files", "quarantine")
"""Commit points of a night before those of its use case's own tables, which are called as these are."""
AFTER = (
    "run",
    "step",
    "checkpoint",
    "weights",
    "fit result",
    "candidate",
    "evaluate result",
    "evidence",
    "logged model",
    "publish result",
    "version",
    "challenger",
    "decision",
    "stage",
    "champion",
    "switch",
    "deployed",
)
"""Those after them, in their order; `step` and `checkpoint` come again and again."""


@contextmanager
def commit_point(name: str) -> Iterator[None]:
    """Name what is committed under it: a table, or one of `BEFORE` or `AFTER`."""
    sys.audit(EVENT, name, "before")
    yield
    sys.audit(EVENT, name, "after")
