"""Cut UCI's "Default of credit card clients" into what is learned from and what judges: it says no times of its own.

    python -m examples.uci_credit --file UCI_Credit_Card.csv

A fifth of the clients judges, drawn at random with seed 0, as many of them defaulting as of the others. Each part is a
file, and `source.arrival: order` takes a file's time for its first row, a us later for each of the others: those that
judge are a day newer.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

LEARNED_AT = datetime(2005, 10, 1, 12, tzinfo=UTC)
"""When clients are learned from, a made-up day; UCI's labels are of October 2005."""
JUDGING_SHARE = 0.2


def cut(file: Path, folder: Path) -> dict[Path, int]:
    """Write both parts, lines as they came under the same head.

    Args:
        file: UCI's, as CSV, whose last column says who defaults; lines may end in any way.
        folder: Made if it is not there.

    Returns:
        Each file written, and how many clients it has.
    """
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    defaults = np.array([line.rsplit(",", 1)[-1] for line in lines])
    parts = train_test_split(np.arange(len(lines)), test_size=JUDGING_SHARE, random_state=0, stratify=defaults)
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[Path, int] = {}
    for days, (name, rows) in enumerate(zip(("learned", "judging"), parts, strict=True)):
        path, at = folder / f"{name}.csv", (LEARNED_AT + timedelta(days=days)).timestamp()
        path.write_text("\n".join([head, *(lines[row] for row in sorted(rows)), ""]), encoding="utf-8")
        os.utime(path, (at, at))
        written[path] = len(rows)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Cut the file, and say so."""
    parser = argparse.ArgumentParser(prog="python -m examples.uci_credit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="UCI_Credit_Card.csv")
    parser.add_argument("--folder", type=Path, default=Path("var/uci-credit/logs"), help="where (default: %(default)s)")
    options = parser.parse_args(arguments)
    for path, clients in cut(options.file, options.folder).items():
        print(f"{path}: {clients:,} clients")


if __name__ == "__main__":
    main()
