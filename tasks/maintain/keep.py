"""What of older versions of tables stays readable, and which rows are old enough to go."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from data_contracts.night import Night, Workspace
from data_contracts.promises import Promises
from data_contracts.table import Table
from data_contracts.version import NIGHT
from tasks.preprocess.nights import Nights
from tasks.preprocess.truth import window_end

log = logging.getLogger(__name__)


def registered_nights(workspace: Workspace) -> list[Night]:
    """Return the nights that versions of the registered model were made of, whatever their alias.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer: nobody knows what must stay readable.
    """
    from mlflow import MlflowClient

    client = MlflowClient(workspace.tracking_uri, workspace.tracking_uri)
    found = client.search_model_versions(f"name='{workspace.name}'")
    return [Night.model_validate_json(each.tags[NIGHT]) for each in found if NIGHT in each.tags]


def kept_versions(
    workspace: Workspace, promised: Promises, table: Table, nights: Iterable[Night], days: int
) -> set[int]:
    """Return the versions of a table that stay readable, beside the newest.

    Args:
        workspace: Whose.
        promised: By its use case.
        table: One of its tables.
        nights: That registered versions of the model were made of.
        days: Versions that were the newest so many days ago, or later, stay.
    """
    name = table.contract.name
    kept = {night.tables[name] for night in nights if name in night.tables}
    if name == promised.truth.name:
        last = Table(workspace.tables, promised.made[-1])
        kept.add(Nights(table, last, last).readable)
    since = (datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000
    for commit in table.commits():
        kept.add(commit.version)
        if commit.notes.get("timestamp", 0) < since:  # it was the newest then
            break
    return kept


def remove_old_rows(workspace: Workspace, promised: Promises, table: Table, days: int) -> int:
    """Remove the rows of days that ended more than ``days`` before the newest window did, in one commit; count them.

    A night that is to come reads none of them: it takes rows up to ``late_days`` late, which is less.
    """
    truth, last = Table(workspace.tables, promised.truth), Table(workspace.tables, promised.made[-1])
    done = last.mark(truth.contract.name)
    if done is None:
        return 0
    oldest = window_end(truth, done) - timedelta(days=days)
    files = table.file_rows()
    old = {file: rows for file, rows in files.items() if date.fromisoformat(table.partition_of(file)) <= oldest}
    if not old:
        return 0
    rows, promised_rows = sum(old.values()), table.mark("rows")
    table.replace(old, [], marks={} if promised_rows is None else {"rows": promised_rows - rows}, data_change=True)
    return rows
