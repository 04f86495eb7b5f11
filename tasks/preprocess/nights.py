"""Which nights preprocess has begun and which it has done, as the commits of its tables remember: of every use case.

A night commits to one table first and to another last; every commit of it consumes ``<truth>@<version>``. So the first
says which night was begun, and with which window; the last says which one is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from data_contracts.night import Window
from data_contracts.reading import ReadableTable
from tasks.preprocess.errors import NoNewEventsError, OutOfOrderError
from tasks.preprocess.truth import new_files

ERASED = "erased"
"""Mark of the last table of a night: version of the truth from which rows were erased last."""


class Nights:
    """The nights of one workspace.

    Args:
        truth: Table of the rows as they came.
        first: The one that a night commits first, with `beginning` among its marks.
        last: The one that it commits last, with `end` among its marks.
    """

    def __init__(self, truth: ReadableTable, first: ReadableTable, last: ReadableTable) -> None:
        self.truth, self.first, self.last = truth, first, last

    @property
    def begun(self) -> int | None:
        """Version of the truth that the newest night began with."""
        return self.first.mark(self.truth.contract.name)

    @property
    def done(self) -> int | None:
        """Version of the truth that the newest finished night took."""
        return self.last.mark(self.truth.contract.name)

    @property
    def readable(self) -> int:
        """Version of the truth to read that night's rows at: the one it took, or a later one without erased rows."""
        return max(self.done or 0, self.last.mark(ERASED) or 0)

    @property
    def window(self) -> Window:
        """The newest window of the night that began last; one did."""
        first_day, last_day = (date.fromordinal(self.first.mark(name) or 1) for name in ("first_day", "last_day"))
        return Window(first_day=first_day, last_day=last_day)

    def new_files(self, version: int, *, by_window: bool = True) -> dict[str, int]:
        """Return the files with the rows of a night that takes this version; see `tasks.preprocess.truth.new_files`."""
        return new_files(self.truth, self.done, version, by_window=by_window)

    def unfinished(self, version: int, has_new: Callable[[int], bool] | None = None) -> Iterator[int]:
        """Yield the nights to build, oldest first: one that was broken off, and the one that takes ``version``.

        Each is asked for when the one before is done. One that has nothing new is left out.

        Args:
            version: Of the truth.
            has_new: Whether a night that takes some version has anything to do; where it has new rows when omitted.

        Raises:
            NoNewEventsError: There is nothing to make the first features of.
            OutOfOrderError: The tables have a newer version already; or as ``has_new``.
        """
        begun = version if self.begun is None else self.begun
        if version < begun:
            raise OutOfOrderError(
                f"{self.truth.uri}: version {version} was asked for, but the tables have version {begun} already. No "
                "features were published. Start the night again: it takes the newest version."
            )
        is_due = has_new or (lambda night: sum(self.new_files(night).values()) > 0)
        for night in sorted({begun, version}):
            if night != self.done and is_due(night):
                yield night
        if self.done is None:
            raise NoNewEventsError(
                f"{self.truth.uri}: version {version} holds no rows. No features were published. Take more days."
            )

    def consumes(self, version: int) -> str:
        """Return the application transaction of a night that takes this version of the truth."""
        return f"{self.truth.contract.name}@{version}"

    def beginning(self, version: int, window: Window) -> dict[str, int]:
        """Return the marks of the first commit of a night."""
        days = {"first_day": window.first_day.toordinal(), "last_day": window.last_day.toordinal()}
        return {**self.end(version), **days}

    def end(self, version: int) -> dict[str, int]:
        """Return the mark of its last one."""
        return {self.truth.contract.name: version}
