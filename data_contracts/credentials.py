"""Addresses travel to every process, into jobs, logs and databases; so no password is in one, and none is shown."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator

IN_ADDRESS = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*(?=@)")
"""A user and a password, as SQLAlchemy reads them: the password may hold a slash."""
SECRET_PARAMETERS = {"password", "sslpassword"}
"""Of those behind the question mark, what libpq and asyncpg take for passwords."""


def without_password(text: str) -> str:
    """Return a text whose addresses have no passwords: ``postgresql://ada:***@host/db``."""
    hidden = IN_ADDRESS.sub(r"\1:***", text)
    return re.sub(rf"(?<=[?&])({'|'.join(SECRET_PARAMETERS)})=[^&\s]*", r"\1=***", hidden)


def require_no_password(address: str) -> str:
    """Return an address that holds no password.

    Raises:
        ValueError: It holds one, which the message does not repeat.
    """
    names = {name.lower() for name, _ in parse_qsl(address.partition("?")[2], keep_blank_values=True)}
    if not IN_ADDRESS.search(address) and not names & SECRET_PARAMETERS:
        return address
    step = (
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment of every process"
        if address.startswith("http")
        else "a line host:port:database:user:password in ~/.pgpass or in the file that PGPASSFILE names, mode 600, or "
        "PGPASSWORD in the environment of every process"
    )
    raise ValueError(
        "it holds a password, and an address is written down in every job, log and run. Take the password out of it, "
        f"and give it as {step}: docs/operations.md, PostgreSQL."
    )


Address = Annotated[str, AfterValidator(require_no_password)]
"""Of a server or a database, without a password."""
