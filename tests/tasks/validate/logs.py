"""Logs of a few days, and where they end up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from data_contracts.night import Staged, Validated, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

DAY = date(2026, 11, 10)
HEAD = "user_id,item_id,timestamp,value"


class Shop:
    """The logs of a shop, and its nights."""

    def __init__(self, home: Path, cluster: str, day_zone: str = "UTC") -> None:
        self.workspace = Workspace(
            name="shop",
            use_case="recommender",
            home=str(home / "home"),
            tracking_uri="sqlite://",
            day_zone=day_zone,
        )
        self.logs = home / "logs"
        self.logs.mkdir(parents=True)
        self._cluster = cluster

    def write(self, name: str, lines: Sequence[str]) -> None:
        """Write a file of logs."""
        (self.logs / name).write_text("\n".join([HEAD, *lines]) + "\n")

    def stage(self) -> Staged:
        """Take the new files."""
        return stage_night(self.workspace, SourceConfig(uri=str(self.logs)), self._cluster)

    def validate(
        self, staged: Staged, config: ValidationConfig | None = None, *, through: date | None = None
    ) -> Validated:
        """Publish what was staged."""
        return validate_night(self.workspace, staged, through, config or ValidationConfig(), self._cluster)

    def night(
        self,
        name: str = "",
        lines: Sequence[str] = (),
        *,
        through: date | None = None,
        config: ValidationConfig | None = None,
    ) -> Validated:
        """Write a file, take it, publish it."""
        if name:
            self.write(name, lines)
        return self.validate(self.stage(), config, through=through)

    def table(self, name: str) -> Table:
        """Open one of the tables."""
        return Table(self.workspace.tables, promises(self.workspace.use_case).contracts[name])

    def files(self, folder: str) -> list[Path]:
        """Every file with rows under a folder of the shop's, visible or not."""
        root = Path(self.workspace.home, self.workspace.name, folder)
        return sorted(path for path in root.rglob("*") if path.suffix in (".arrow", ".parquet"))


def on_day(days: int = 0) -> date:
    """Return a day so many days after the first."""
    return DAY + timedelta(days=days)


def lines(day: date, count: int = 300, *, first: int = 0) -> list[str]:
    """Events of a day, no two of them equal."""
    return [f"u{n % 7},i{n},{day}T10:00:{n % 60:02}Z,1" for n in range(first, first + count)]


def status(page: str | Path) -> str:
    """Return what a page of the Data Docs says of the whole night."""
    text = re.sub(r"<[^>]+>|\s+", " ", Path(page).read_text(encoding="utf-8"))
    return re.search(r"Status: +(\w+)", text)[1]
