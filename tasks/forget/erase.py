"""Forget people: every row about them, and what else in a home names them."""

from __future__ import annotations

import logging

from distributed import Client
from pydantic import Field

from data_contracts.forgotten import forgotten_of
from data_contracts.night import Value, Workspace
from data_contracts.serving import VersionWanted
from tasks.deploy.config import ServingConfig
from tasks.deploy.server import ModelServer, ServerAbsentError, ServerError
from tasks.forget.tables import erase_rows, first_window, refuse_unfinished
from tasks.forget.traces import mark_versions, remove_scratch

log = logging.getLogger(__name__)


class Erasure(Value):
    """What was erased."""

    rows: dict[str, int] = Field(description="Table to the rows about the people.")
    versions: tuple[str, ...] = Field((), description="Versions of the model that learned from them.")
    files: int = Field(0, description="Files of jobs that named them.")
    served: str = Field("", description="What the model server does now, in a sentence.")

    def __str__(self) -> str:
        """Say it in a sentence."""
        rows = ", ".join(f"{name} {count:,}" for name, count in self.rows.items() if count) or "none"
        versions = ", ".join(self.versions) or "none"
        return (
            f"rows erased: {rows}; files of jobs removed: {self.files:,}; versions that learned from them: {versions}"
        )


def erase_everywhere(workspace: Workspace, serving: ServingConfig, cluster: str) -> Erasure:
    """Erase what names anybody on the list of those forgotten; done again after a kill, it does what is missing.

    No night may be at work.

    Args:
        workspace: Whose.
        serving: Where the model server is, which is told to load what it serves anew.
        cluster: Address of a Dask scheduler.

    Raises:
        NightUnfinishedError: A night was broken off, and must be done first.
    """
    forgotten = forgotten_of(workspace.tables)
    refuse_unfinished(workspace)
    with Client(cluster, set_as_default=False) as client:
        versions = mark_versions(workspace, forgotten, first_window(workspace, forgotten, client))
        rows = erase_rows(workspace, forgotten, client)
    files = remove_scratch(workspace, forgotten)
    return Erasure(rows=rows, versions=versions, files=files, served=_renewed(workspace, serving))


def _renewed(workspace: Workspace, serving: ServingConfig) -> str:
    """Have the server load what it serves anew: it holds what people did in memory."""
    server = ModelServer(workspace.name, workspace.tracking_uri, serving)
    try:
        served = server.state().served
    except ServerAbsentError as error:
        return f"Nothing is served: {error}."
    if served is None:
        return "Nothing is served."
    try:
        server.renew(VersionWanted(version=served.version, digest=served.digest))
    except ServerError as error:
        return f"The model server still knows them: {error}. End it (`make down`), and start it again (`make up`)."
    return f"{workspace.name} version {served.version} is served without them."
