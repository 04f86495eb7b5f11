"""Why a night cannot close a window. Nothing of it is published, and another try changes nothing.

Errors of this module, beside those of `data_contracts.contract`::

    WindowError
    ├── NoCompleteDayError    the tables are empty, and no day before today is whole enough to end a first window
    └── EmptyDayError         no row is of the day asked for
"""

from __future__ import annotations


class WindowError(Exception):
    """A night cannot close a window."""


class NoCompleteDayError(WindowError):
    """No day before today is whole enough to end a first window."""


class EmptyDayError(WindowError):
    """No row is of the day asked for."""
