"""Which source files were taken: a commit that takes some has a note of them, and a table is the index of these notes.

The log is the truth: a note becomes visible with the rows of its files, or not at all. The index spares a night the
notes of all nights before it. It is brought up to date before anything else is committed, so it lacks the newest nights
and never knows of one that is not there; what it lacks is read from the log. So it may be lost: it is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import pyarrow as pa

from data_contracts.files import FILES
from data_contracts.log import Commit
from data_contracts.staging import NIGHT
from data_contracts.table import Table

FILES_READ = 16
"""Files that the index may have. They are small, one a night, and become one when there are more."""

_NOTE = "source_files"
"""Of what the files call themselves, JSON."""
_BEFORE = "file:"
"""How a source file calls itself. Where there is no note, each was an application transaction of its commit."""


class SourceFiles:
    """Those of one table of rows from outside.

    Args:
        table: That takes them.
        quarantine: What the same night commits to before.
        index: Of the files that ``table`` took.
    """

    def __init__(self, table: Table, quarantine: Table, index: Table) -> None:
        self._table, self._quarantine, self._index = table, quarantine, index

    def unseen(self, names: Iterable[str]) -> set[str]:
        """Return those of ``names`` that no night took."""
        reached = self._reached()
        indexed = [] if reached < 0 else self._index.read(columns=["transaction"])["transaction"].to_pylist()
        return set(names).difference(indexed, self._since(reached))

    def begun(self) -> set[str]:
        """Return what a night took to quarantine, and died before its table had it; nothing of one that was done."""
        night, commits = self._table.next_version(), self._quarantine.commits()
        of_night = takewhile(lambda commit: commit.transactions.get(f"mark:{NIGHT}") == night, commits)
        return {name for commit in of_night for name in _taken(commit)}

    def were_begun(self, names: Iterable[str]) -> bool:
        """Whether a night with these very files died between its commits: quarantine has them already."""
        return self.begun().issuperset(names)

    def bring_up_to_date(self) -> None:
        """Bring the index to where its table is, in one commit; nothing is committed to one that lacks nothing."""
        reached, files = self._reached(), list(self._index.file_rows())
        since = self._since(reached)
        if not since and (reached >= 0 or not files):
            return
        rows = pa.table([list(since), list(since.values())], schema=FILES.schema)
        version, name = self._table.version(), f"{self._index.next_version():06}"
        marks = {NIGHT: -1 if version is None else version}
        if files and (reached < 0 or len(files) >= FILES_READ):
            rows = rows if reached < 0 else pa.concat_tables([self._index.read(), rows])
            self._index.replace(files, self._index.write(rows, name), marks=marks)
        else:
            self._index.commit(self._index.write(rows, name), marks=marks)

    def _reached(self) -> int:
        """Return the version of the table up to which the index knows its files; -1 where it is of another table.

        So it is where the table was lost, or set back.
        """
        reached, version = self._index.mark(NIGHT), self._table.version()
        return -1 if reached is None or version is None or reached > version else reached

    def _since(self, reached: int) -> dict[str, int]:
        """Return the files that later versions took, and the version of each."""
        later = takewhile(lambda commit: commit.version > reached, self._table.commits())
        return {name: commit.version for commit in later for name in _taken(commit)}


def taken_note(names: Sequence[str]) -> dict[str, str]:
    """Return the note of a commit that takes source files; none where it takes none."""
    return {_NOTE: json.dumps(names)} if names else {}


def _taken(commit: Commit) -> Iterator[str]:
    """Yield the source files that a commit took, by its note; by its transactions where older code made it."""
    if _NOTE in commit.notes:
        yield from json.loads(commit.notes[_NOTE])
    else:
        yield from (name for name in commit.transactions if name.startswith(_BEFORE))
