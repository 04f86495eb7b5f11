"""What else of people who are forgotten lies in a home: in versions of the model, in folders of jobs, in databases."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from data_contracts.forgotten import Forgotten
from data_contracts.night import Workspace
from data_contracts.staging import clear
from data_contracts.version import EXAMPLE, FORGOTTEN, TRAINED_THROUGH
from tasks.job import LOG

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ROW_SHOWN = re.compile(r" row [\d,]+: (.*)")
"""How an error shows a row: the rest of its line may hold an id."""
_EVENTS = {"events": "resource || payload", "event_resources": "resource"}
"""Prefect's tables of what happened, which no request deletes from, and what of them may show a row."""
BUSY_SECONDS = 60.0


def mark_versions(workspace: Workspace, forgotten: Forgotten, first_window: str) -> tuple[str, ...]:
    """Mark the model's versions that learned from the people, take an example that names one away; return the marked.

    Args:
        workspace: Whose.
        forgotten: The people.
        first_window: Key of the first window with an example about them; empty without any.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    from mlflow import MlflowClient

    client = MlflowClient(workspace.tracking_uri, workspace.tracking_uri)
    marked = list[str]()
    for version in client.search_model_versions(f"name='{workspace.name}'"):
        number, told = str(version.version), version.tags
        if names_them(forgotten, _QUOTED.findall(told.get(EXAMPLE, ""))):
            client.delete_model_version_tag(workspace.name, number, EXAMPLE)
        if first_window and first_window <= told.get(TRAINED_THROUGH, "") and FORGOTTEN not in told:
            client.set_model_version_tag(workspace.name, number, FORGOTTEN, datetime.now(UTC).isoformat())
        if FORGOTTEN in told or (first_window and first_window <= told.get(TRAINED_THROUGH, "")):
            marked.append(number)
    return tuple(sorted(marked, key=int))


def remove_scratch(workspace: Workspace, forgotten: Forgotten) -> int:
    """Remove what is staged, and files of jobs and errors kept by Prefect that name one of the people.

    Returns:
        How many files of jobs and errors.
    """
    clear(workspace.staging)
    runs, errors = Path(workspace.runs), Path(workspace.home) / "prefect" / "storage"
    named = [path for path in runs.rglob("*") if path.is_file() and _names_them(path, forgotten)]
    named += [path for path in errors.rglob("*") if path.is_file() and shows_them(forgotten, _text(path))]
    for path in named:
        path.unlink()
    return len(named)


def names_them(forgotten: Forgotten, words: Iterable[str]) -> bool:
    """Whether one of some words is the id of a person who is forgotten."""
    return bool(forgotten.are(pl.Series("word", list(words), pl.String)).any())


def shows_them(forgotten: Forgotten, text: str) -> bool:
    """Whether an error, or a log, shows a row that names one of the people."""
    return bool(forgotten.are_named_in(pl.Series("row", _ROW_SHOWN.findall(text), pl.String)).any())


def clean_databases(workspace: Workspace, forgotten: Forgotten) -> list[str]:
    """Have the home's SQLite databases give up what was deleted in them, and Prefect's what its events show.

    Returns:
        Those that were too busy for it, with the reason.
    """
    home, busy = Path(workspace.home), list[str]()
    for path in (home / "mlflow.db", home / "prefect" / "prefect.db"):
        if path.exists():
            try:
                _clean(path, forgotten)
            except sqlite3.OperationalError as error:
                busy.append(f"{path}: {error}")
    return busy


def _clean(path: Path, forgotten: Forgotten) -> None:
    """Delete Prefect's events that show a row about the people; write the database anew, and empty its log."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, columns in _EVENTS.items():
            if table in there:
                rows = connection.execute(f"SELECT id, {columns} FROM {table} WHERE {columns} LIKE '% row %'")
                shown = [(key,) for key, text in rows.fetchall() if shows_them(forgotten, text)]
                connection.executemany(f"DELETE FROM {table} WHERE id = ?", shown)
        connection.execute("VACUUM")
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise sqlite3.OperationalError("somebody reads its log all the time")
    finally:
        connection.close()


def _names_them(path: Path, forgotten: Forgotten) -> bool:
    if path.suffix == ".json":
        return names_them(forgotten, _QUOTED.findall(_text(path)))
    return path.name == LOG and shows_them(forgotten, _text(path))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
