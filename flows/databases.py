"""The databases of MLflow and Prefect: SQLite in the home, or PostgreSQL by setting; and whether they can be used.

MLflow tries a database that is down for minutes, and Prefect's server does not start: so they are asked before.
"""

from __future__ import annotations

import asyncio

from flows.settings import NightlySettings

ANSWER_SECONDS = 10
"""How long a database may take to take a connection."""
NEXT = (
    "Start it, or mend the address; the password belongs in ~/.pgpass, in the file that PGPASSFILE names, or in "
    "PGPASSWORD: docs/operations.md, PostgreSQL."
)


class DatabaseError(Exception):
    """A database that a setting names cannot be used; the message names each, what it says, and what to do."""


def own_mlflow(settings: NightlySettings) -> bool:
    """Whether MLflow is started here, before its database; another one is named by ``tracking_uri``, http(s)."""
    return not settings.workspace().tracking_uri.startswith("http")


def prefects_database(settings: NightlySettings) -> dict[str, str]:
    """Return the variable that tells a Prefect server which database it has; none where it is SQLite in its home."""
    if settings.prefect_database is None:
        return {}
    return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": _asynchronous(settings.prefect_database)}


def require_databases(settings: NightlySettings, *, records: bool = False) -> None:
    """See that MLflow's database takes connections; all that is wrong is said at once.

    Args:
        settings: Name it, if it is none of the home.
        records: Whether Prefect's must, too: a server that keeps its records there is about to start.

    Raises:
        DatabaseError: One does not.
    """
    problems = [registry_problem(settings), _records_problem(settings) if records else ""]
    if found := [problem for problem in problems if problem]:
        raise DatabaseError("\n".join(found))


def registry_problem(settings: NightlySettings) -> str:
    """Say why MLflow's database cannot be used; nothing when it can, or is no PostgreSQL."""
    address = settings.tracking_uri or ""
    return _said("tracking_uri", address, _connect(address)) if address.startswith("postgresql") else ""


def _records_problem(settings: NightlySettings) -> str:
    address = settings.prefect_database or ""
    return _said("prefect_database", address, asyncio.run(_connect_as_prefect(address))) if address else ""


def _said(setting: str, address: str, error: str) -> str:
    return error and f"{setting}: the database {address} cannot be used: {error}. {NEXT}"


def _connect(address: str) -> str:
    """Connect as MLflow does, and return what goes wrong."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        create_engine(address, poolclass=NullPool, connect_args={"connect_timeout": ANSWER_SECONDS}).connect().close()
    except (SQLAlchemyError, ImportError) as error:
        return _in_a_line(error)
    return ""


async def _connect_as_prefect(address: str) -> str:
    """Connect as Prefect's server does, by another library, and return what goes wrong."""
    from asyncpg import InterfaceError, PostgresError
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(_asynchronous(address), poolclass=NullPool, connect_args={"timeout": ANSWER_SECONDS})
    try:
        async with engine.connect():
            return ""
    except (SQLAlchemyError, PostgresError, InterfaceError, OSError, TypeError) as error:
        return _in_a_line(error)


def _asynchronous(address: str) -> str:
    """Return an address with the library that Prefect speaks by."""
    return address.replace("postgresql://", "postgresql+asyncpg://", 1)


def _in_a_line(error: Exception) -> str:
    """Return the first words of an error: what follows are hints of libraries."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else f"no answer within {ANSWER_SECONDS} s"
