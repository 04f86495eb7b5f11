"""The model in service and the best one before it, as a night meets them: whether they belong here, their bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field

from data_contracts.bundle import fetch_bundle, find_version
from data_contracts.manifest import DamagedError
from data_contracts.night import Night, Value, Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises
from data_contracts.version import ANCHORED, CANDIDATE, CHAMPION, CHOSEN, FORGOTTEN, TABLE_IDS, TRAINED_THROUGH


class Champion(Value):
    """A version that is in service, or was, and what a night may do with it."""

    version: str = Field(description="Of the registered model.")
    trained_through: str = Field("", description="Key of the newest window it was trained on; empty if it is not told.")
    chosen: str = Field(CANDIDATE, description="The contestant that it was: a rival cannot be trained further.")
    anchor: str = Field("", description="Version that its successors must not fall too far below, it or one before.")
    stranger: str = Field("", description="Why it may not be judged or trained further tonight; empty when it may.")
    damaged: str = Field("", description="What is wrong with its bundle in MLflow itself; empty when nothing is.")
    forgotten: str = Field("", description="Since when people are forgotten whom it learned from; empty without any.")
    bundle: str = Field("", description="Folder of its bundle, verified; empty for a stranger or a damaged one.")


def find_champion(workspace: Workspace, night: Night, run_id: str) -> Champion | None:
    """Return the version in service, if any, seen from a night; its bundle is fetched once, and again when damaged.

    The night does without one whose bundle is damaged in MLflow itself, and nobody takes its place: see the gate.

    Args:
        workspace: Says where runs and MLflow are.
        night: Judges tonight.
        run_id: In whose folder the bundle lies.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    return _find(workspace, night, run_id, CHAMPION)


def find_anchor(workspace: Workspace, night: Night, run_id: str, champion: Champion) -> Champion | None:
    """Return the best of the champions before ``champion``; None where it is that itself, or the best one is gone.

    Args:
        workspace: See `find_champion`.
        night: As above.
        run_id: As above.
        champion: In service.
    """
    return None if champion.anchor in ("", champion.version) else _find(workspace, night, run_id, champion.anchor)


def _find(workspace: Workspace, night: Night, run_id: str, version_or_alias: str) -> Champion | None:
    found = find_version(workspace.tracking_uri, workspace.name, version_or_alias)
    if found is None:
        return None
    version, tags = str(found.version), found.tags
    seen = Champion(
        version=version,
        trained_through=tags.get(TRAINED_THROUGH, ""),
        chosen=tags.get(CHOSEN, CANDIDATE),
        anchor=tags.get(ANCHORED, ""),
        stranger=stranger(version, tags, night, table_ids(workspace, night.tables)),
        forgotten=tags.get(FORGOTTEN, ""),
    )
    if seen.stranger:
        return seen
    folder = Path(workspace.runs) / run_id / CHAMPION / f"version-{version}"
    try:
        fetch_bundle(workspace.tracking_uri, workspace.name, version, folder)
    except DamagedError as error:
        return seen.model_copy(update={"damaged": str(error)})
    return seen.model_copy(update={"bundle": str(folder)})


def stranger(version: str, tags: Mapping[str, str], night: Night, tables: Mapping[str, str]) -> str:
    """Say why a version may be neither judged nor trained further in a night; nothing when it may.

    Weights of other tables may mean other things: what has a row in them is numbered by its table. And what was
    trained on the newest window, or on days of it, must not be judged there.

    Args:
        version: Named in the reason.
        tags: Of the version.
        night: Its newest window judges.
        tables: Name of each of the night's tables to its id.
    """
    trained_through, ids = tags.get(TRAINED_THROUGH), tags.get(TABLE_IDS)
    if trained_through is None:
        return f"version {version} does not say what it was trained through"
    if ids is None:
        return f"version {version} does not say which tables it was trained on"
    known: dict[str, str] = json.loads(ids)
    shared = known.keys() & tables.keys()  # newer code may have others
    if not shared or any(known[name] != tables[name] for name in shared):
        return f"version {version} was trained on tables made before these"
    if trained_through not in night.windows[:-1]:
        return f"version {version} was trained through {trained_through}, which is no window before the judging one"
    return ""


def table_ids(workspace: Workspace, names: Iterable[str]) -> dict[str, str]:
    """Return the id of each table of these names; none of a table never written."""
    of_name = promises(workspace.use_case).contracts
    ids = {name: Table(workspace.tables, of_name[name]).id() for name in sorted(names)}
    return {name: found for name, found in ids.items() if found is not None}
