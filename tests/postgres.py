"""A PostgreSQL of a test's own: Debian's server, with passwords, in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg2
import pytest

from tasks.lock import locked
from tests.integration.conftest import free_ports, until
from tests.patience import LONG_SECONDS, patient

OWNER = "postgres"
"""Of Debian's package; the server refuses to be root's."""
ROLE = "nightshift"


@dataclass(frozen=True)
class Postgres:
    """A server that runs.

    Attributes:
        folder: Its own.
        port: On 127.0.0.1.
        password: Of the role that has the databases.
    """

    folder: Path
    port: int
    password: str

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process the password."""
        return {"PGPASSFILE": str(self.folder / "pgpass")}

    def uri(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}"

    def make(self, *databases: str) -> None:
        """Make databases of the role's."""
        for name in databases:
            self.ask("postgres", f'CREATE DATABASE "{name}" OWNER {ROLE}')

    def ask(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of an answer, if any."""
        connection = psycopg2.connect(self.uri(database), password=self.password)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def dump(self, database: str) -> str:
        """Return all that a database holds, as text."""
        command = [str(_programs() / "pg_dump"), "--dbname", self.uri(database)]
        return subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=True
        ).stdout


@contextmanager
def postgres(folder: Path, password: str) -> Iterator[Postgres]:
    """Start a server, yield it once it answers, and end it.

    Args:
        folder: For the password's file and the log, which only the test reads.
        password: That its role has; without a colon, which asyncpg and libpq read differently in that file.
    """
    _install()
    own = Path(mkdtemp(prefix="nightshift-postgres-"))  # the server's user cannot enter pytest's folders
    who: Mapping[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": OWNER, "group": OWNER, "extra_groups": []}
        os.chown(own, pwd.getpwnam(OWNER).pw_uid, pwd.getpwnam(OWNER).pw_gid)
    (port,) = free_ports(1)
    made, passwords = Postgres(folder, port, password), own / "password"
    passwords.write_text(password)
    passwords.chmod(0o644)
    hba = ("--auth=scram-sha-256", f"--username={ROLE}", f"--pwfile={passwords}")
    command = [str(_programs() / "initdb"), "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *hba, str(own / "data")]
    subprocess.run(command, cwd=own, **who, check=True, capture_output=True)
    passwords.unlink()
    (folder / "pgpass").write_text(f"127.0.0.1:{port}:*:{ROLE}:{password}\n")
    (folder / "pgpass").chmod(0o600)
    try:
        with running(made, own, who):
            yield made
    finally:
        shutil.rmtree(own)


@contextmanager
def running(made: Postgres, own: Path, who: Mapping[str, Any]) -> Iterator[None]:
    """Run the server of a folder that is there."""
    options = {"port": made.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": own, "fsync": "off"}
    command = [str(_programs() / "postgres"), "-D", str(own / "data"), *(f"--{key}={options[key]}" for key in options)]
    with (made.folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who)
    try:
        assert until(lambda: _answers(made) or server.poll() is not None, LONG_SECONDS)
        assert server.poll() is None, (made.folder / "postgres.log").read_text()
        yield
    finally:
        server.send_signal(signal.SIGINT)  # its clients are sent away
        server.wait(patient(60))


def _answers(made: Postgres) -> bool:
    try:
        made.ask("postgres", "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else Path("/nowhere")


def _install() -> None:
    """Have Debian's package; without the right to install it a test is skipped and says so, in CI it fails."""
    with locked(Path("/tmp") / f"nightshift-apt-{os.geteuid()}", "a test run", seconds=LONG_SECONDS):
        if _programs().exists():
            return
        if os.geteuid() == 0 and shutil.which("apt-get"):
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in ("update -qq", "install -qq --no-install-recommends postgresql"):
                subprocess.run(["apt-get", *command.split()], env=quiet, check=True)
            return
    message = "no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
