"""What the model server and those who operate it tell each other: JSON, beside the Open Inference Protocol.

==================================  ===============================================================================
``GET  <OPERATIONS>``               `ServerState`
``POST <OPERATIONS>/stage``         `VersionWanted` in; load it beside the one served, and check it; `ServerState` out
``POST <OPERATIONS>/switch``        `VersionWanted` in; serve it, staged or served before; `ServerState` out
==================================  ===============================================================================

A refusal is status 409 with ``{"error": reason}``: a verdict on the version. A registry that does not give the version
is status 503: it says nothing about it, and may pass. What was served still is.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from data_contracts.night import Value

OPERATIONS = "/nightshift/models/{name}"
"""Path of a registered model's operations."""


class VersionWanted(Value):
    """Which version an operation is about."""

    version: str = Field(pattern=r"^[0-9]{1,12}$", description="Of the registered model, in digits.")


class VersionHeld(Value):
    """One version in the server's memory."""

    version: str
    since: datetime = Field(description="When it was loaded or, if served, put in service; UTC.")
    trained_through: str = Field(description="Key of the newest window that it learned from: a day, ISO 8601.")


class ServerState(Value):
    """What a server holds of one registered model."""

    name: str
    served: VersionHeld | None = Field(None, description="Answers requests.")
    staged: VersionHeld | None = Field(None, description="Loaded and checked, ready to be switched to.")
    previous: VersionHeld | None = Field(None, description="Served before, ready to be switched back to.")
