"""What the model server and those who operate it tell each other: JSON, beside the Open Inference Protocol.

==================================  ===============================================================================
``GET  <OPERATIONS>``               `ServerState`
``POST <OPERATIONS>/stage``         `VersionWanted` in; load it beside the one served, and check it; `ServerState` out
``POST <OPERATIONS>/switch``        `VersionWanted` in; serve it, staged or served before; `ServerState` out
``POST <OPERATIONS>/renew``         `VersionWanted` in; load it anew, which is served, and no other; `ServerState` out
==================================  ===============================================================================

Whoever reaches the port of REST may ask for the state. What changes it comes by `operations_socket`, which only the
user of the server's own machine can open, whatever stands before the port.

A refusal is status 409 with ``{"error": reason}``: a verdict on the version. A version that the registry does not have
is status 404. A registry that does not answer, or has another bundle of that number, is status 503: it says nothing
about the version, and may pass. What was served still is.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import Field

from data_contracts.night import Value

OPERATIONS = "/nightshift/models/{name}"
"""Path of a registered model's operations."""
STREAMED = "/v2/models/{name}/generate_stream"
"""Path by which a model is asked for an answer in pieces: Triton's generate extension of the protocol."""


def curl_for_pieces(rest_url: str, name: str, request: Mapping[str, Any]) -> str:
    """Return the command line that asks for an answer in pieces.

    Args:
        rest_url: Of the server.
        name: Of the registered model.
        request: Column to value as JSON has it; what is null is left out.
    """
    asked = {column: value for column, value in request.items() if value is not None}
    return f"curl -N {rest_url.rstrip('/')}{STREAMED.format(name=name)} -d {quote(json.dumps(asked))}"


def operations_socket(rest_port: int) -> Path:
    """Return the Unix socket of the server whose REST has that port on this machine, in a folder that is ours alone.

    Raises:
        OSError: The folder belongs to somebody else, or is open to others.
    """
    folder = Path(f"/tmp/nightshift-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if seen.st_uid != os.getuid() or not stat.S_ISDIR(seen.st_mode) or stat.S_IMODE(seen.st_mode) & 0o077:
        raise OSError(f"{folder} is no folder of user {os.getuid()} alone: {stat.filemode(seen.st_mode)}. Remove it.")
    return folder / f"server-{rest_port}.sock"


class VersionWanted(Value):
    """Which version an operation is about. A number alone may be another registry's: the digest says which is meant."""

    version: str = Field(pattern=r"^[1-9][0-9]{0,11}$", description="Of the registered model, in digits.")
    digest: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="sha256 of its bundle's manifest; whatever has that number when omitted.",
    )

    def is_met_by(self, held: VersionHeld) -> bool:
        """Whether that is the version meant."""
        return held.version == self.version and self.digest in {None, held.digest}


class VersionHeld(Value):
    """One version in the server's memory."""

    version: str
    digest: str = Field(description="sha256 of its bundle's manifest.")
    since: datetime = Field(description="When it was loaded or, if served, put in service; UTC.")
    trained_through: str = Field(description="Key of the newest window that it learned from: a day, ISO 8601.")
    streams: bool = Field(False, description="Whether it answers in pieces, too.")


class ServerState(Value):
    """What a server holds of one registered model."""

    name: str
    registry: str = Field(description="Where its versions come from, see `registry_of`.")
    served: VersionHeld | None = Field(None, description="Answers requests.")
    staged: VersionHeld | None = Field(None, description="Loaded and checked, ready to be switched to.")
    previous: VersionHeld | None = Field(None, description="Served before, ready to be switched back to.")


def registry_of(tracking_uri: str) -> str:
    """Return what a registry is known by, however it is written: its address, and never a password.

    A database in a file is known by the file's real path, so two processes mean the same one wherever they run.
    """
    scheme, _, rest = tracking_uri.partition("://")
    if scheme.startswith("sqlite"):
        file = rest.removeprefix("/").partition("?")[0]
        return f"{scheme}:///{Path(file).resolve()}"
    return re.sub("//[^@/]*@", "//", tracking_uri).replace("//localhost", "//127.0.0.1").rstrip("/")
