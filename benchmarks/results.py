"""A table of what was measured, and on what machine: a section of ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

FILE = Path(__file__).with_name("RESULTS.md")
HEAD = "# What was measured\n\nEach section is written by the command that it names, and by nobody else.\n"
LIBRARIES = ("torch", "pytorch-lightning", "numpy", "pyarrow", "polars")


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        what: Was measured.
        values: One for each round.
        unit: Of the values; a share is given in percent.
        bar: What is wanted, in words.
        met: Whether the median is as wanted; None without a bar.
    """

    what: str
    values: Sequence[float]
    unit: str
    bar: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Return what stands in the line; the lowest and highest of several values beside their median."""
        seen = f"{_shown(median(self.values), self.unit)} {self.unit}"
        if len(self.values) > 1:
            seen += f" ({_shown(min(self.values), self.unit)} to {_shown(max(self.values), self.unit)})"
        return self.what, seen, self.bar, {True: "met", False: "**missed**", None: ""}[self.met]


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:.2f}" if unit == "x" else f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}"  # noqa: PLR2004


def section(title: str, intro: str, rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Return a section in Markdown: what, on what machine, the table, and what must be known to read it."""
    head = [("Measured", "Seen: median (lowest to highest)", "Bar", ""), ("---", "---", "---", "---")]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *(row.cells() for row in rows)])
    remarks = "\n".join(f"- {note}" for note in notes)
    return f"## {title}\n\n{intro}\n\n{machine()}\n\n{table}\n\n{remarks}\n"


def machine() -> str:
    """Say when, where, and with which versions."""
    changed = _git("status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/RESULTS.md")
    commit = _git("rev-parse", "--short=12", "HEAD") + (" and changes" if changed else "")
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}; {found[1] if found else platform.machine()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GiB; Python {platform.python_version()}, {libraries}."
    )


def record(name: str, text: str, file: Path = FILE) -> None:
    """Put a section where the one of this name was, or at the end."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before = file.read_text(encoding="utf-8") if file.exists() else HEAD
    own = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    written = f"{begin}{text}{end}"
    after = own.sub(lambda _: written, before) if own.search(before) else f"{before}\n{written}"
    file.write_text(after, encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=FILE.parent, check=True, capture_output=True, text=True)
    return done.stdout.strip()
