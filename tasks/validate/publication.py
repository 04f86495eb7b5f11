"""One night's rows on their way into the tables: counted, and committed with what is to be remembered of them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from data_contracts.night import Staged, Window
from data_contracts.promises import Inflow
from data_contracts.source_files import taken_note
from data_contracts.staging import COLUMNS, DAY, DAY_ZONE, LABELS, NIGHT
from data_contracts.use_cases import IncomingTables
from tasks.validate.remembered import mixes_note
from tasks.validate.report import Report
from tasks.validate.verdict import refuse_lost_rows

log = logging.getLogger(__name__)

COUNTS = ("rows_read", "accepted", "early", "quarantined", "dropped", "repeats", "left_out", "forgotten")
"""Marks of a commit of rows from outside: what became of those of its files."""


class Seen(NamedTuple):
    """What people may look at of new rows; nothing where none were.

    Attributes:
        page: Address of the Data Docs page.
        of_table: What the rules about all rows together saw, a line each.
    """

    page: str = ""
    of_table: tuple[str, ...] = ()


@dataclass(frozen=True)
class Publication:
    """What a night publishes.

    Attributes:
        of: What it publishes: the truth, which opens windows, or labels of it.
        tables: Of the rows that keep the contract, of those that do not, and of their files.
        staged: The night's rows; none where no file was new.
        report: What became of them.
        today: Day by which a row was one of the future.
        day_zone: Zone whose days rows are parted by.
        labels: Version of the labels that are there by now; None where there are none.
    """

    of: Inflow
    tables: IncomingTables
    staged: Staged
    report: Report
    today: date
    day_zone: str
    labels: int | None = None

    @property
    def what(self) -> str:
        """Table and day, for people."""
        return f"{self.tables.kept.contract.name!r} {self.today}"

    @property
    def end(self) -> date | None:
        """Last day of the newest window; None while there is none."""
        last_day = self.tables.kept.mark("window")
        return None if last_day is None else date.fromordinal(last_day)

    def counts(self) -> dict[str, int]:
        """Count what became of the rows read, in the very files that are committed.

        Raises:
            ContractError: One is missing, or is there twice.
        """
        counts = {
            "accepted": self.report.days.total(),
            "quarantined": sum(part.rows for part in self.report.quarantined) + self.report.begun,
            "dropped": self.report.dropped,
            "repeats": self.report.repeats,
            "left_out": self.staged.left_out,
            "forgotten": self.report.forgotten,
        }
        refuse_lost_rows(self.staged.rows_read, counts, what=self.what)
        return {"rows_read": self.staged.rows_read, **counts}

    def commit(self, window: Window | None, counts: dict[str, int]) -> None:
        """Commit which files came before, the broken rows, then the others; nothing when nothing came of the night.

        Args:
            window: That is opened, if any.
            counts: See `counts`.
        """
        consumed = self.staged.consumed
        if window is None and not consumed:
            return
        table, quarantine, files = self.tables
        version, end = table.next_version(), window.last_day if window else self.end
        assert end is not None or self.of == "labels", "the first rows open a window"
        early = sum(rows for day, rows in self.report.days.items() if end is not None and day > end)
        files.bring_up_to_date()
        notes = {DAY_ZONE: self.day_zone, **taken_note(consumed)}
        if consumed and (self.report.quarantined or not files.were_begun(consumed)):
            marks = {NIGHT: version, DAY: self.today.toordinal()}
            quarantine.commit(self.report.quarantined, marks=marks, notes=notes)
        marks = {**counts, "early": early, "rows": sum(table.file_rows().values()) + counts["accepted"]}
        if self.labels is not None:
            marks[LABELS] = self.labels
        if self.of == "source" and window is None:
            log.info("No window is opened, and the champion stays; %s rows wait for one.", f"{counts['accepted']:,}")
        if window is not None:
            marks |= {
                "window": window.last_day.toordinal(),
                "window_first": window.first_day.toordinal(),
                "windows": (table.mark("windows") or 0) + 1,
                "published": version,
            }
        if self.staged.columns:
            notes[COLUMNS] = json.dumps(self.staged.columns)
        notes |= mixes_note(self.report.aggregates.mixes)
        table.commit(self.report.accepted, marks=marks, notes=notes)

    def discard(self) -> None:
        """Remove the files that no commit made visible."""
        self.tables.quarantine.discard(self.report.quarantined)
        self.tables.kept.discard(self.report.accepted)
