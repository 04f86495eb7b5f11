from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows import manager
from flows.command import read
from flows.databases import DatabaseError, registry_problem, require_databases
from flows.settings import NightlySettings
from tests.postgres import postgres


def settings(home: Path, **changed: object) -> NightlySettings:
    return NightlySettings(name="own", home=home, source={"uri": "logs"}, **changed)  # type: ignore[arg-type]


def test_databases_of_the_home_are_not_asked(tmp_path: Path) -> None:
    own = settings(tmp_path)
    require_databases(own, records=True)
    assert not list(tmp_path.iterdir())


def test_a_database_that_is_down_is_named_with_what_to_do_and_so_is_the_other(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    own = settings(
        tmp_path,
        tracking_uri=f"postgresql://nightshift@127.0.0.1:{port}/mlflow",
        prefect_database=f"postgresql://nightshift@127.0.0.1:{port}/prefect",
    )
    with pytest.raises(DatabaseError) as refused:
        require_databases(own, records=True)
    mlflow, prefect = str(refused.value).splitlines()
    assert mlflow.startswith(f"tracking_uri: the database {own.tracking_uri} cannot be used: ")
    assert prefect.startswith(f"prefect_database: the database {own.prefect_database} cannot be used: ")
    for said in (mlflow, prefect):
        assert "refused" in said or "Connect call failed" in said
        assert "Start it, or mend the address; the password belongs in ~/.pgpass" in said
    with pytest.raises(DatabaseError) as refused:
        require_databases(own)
    assert str(refused.value) == mlflow, "a night that another server records needs no database of Prefect's"


def test_one_that_answers_and_refuses_is_told_from_one_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres(tmp_path, "s3cr3t-w0rd") as server:
        server.make("mlflow", "prefect")
        own = settings(tmp_path, tracking_uri=server.uri("mlflow"), prefect_database=server.uri("prefect"))
        monkeypatch.setenv("PGPASSWORD", "s3cr3t-w0rd")
        require_databases(own, records=True)
        monkeypatch.setenv("PGPASSWORD", "another")
        with pytest.raises(DatabaseError, match=r"(?s)password authentication failed.*password authentication failed"):
            require_databases(own, records=True)
        monkeypatch.delenv("PGPASSWORD")
        monkeypatch.setenv("PGPASSFILE", server.environment["PGPASSFILE"])
        require_databases(own, records=True)
        assert 'database "nope" does not exist' in registry_problem(settings(tmp_path, tracking_uri=server.uri("nope")))


def test_prefects_server_is_told_of_its_database_and_of_none_where_there_is_none(tmp_path: Path) -> None:
    variable = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    for said in ("postgresql://nightshift@db/prefect", "postgresql+asyncpg://nightshift@db/prefect"):
        told = manager.environment(settings(tmp_path, prefect_database=said))
        assert told[variable] == "postgresql+asyncpg://nightshift@db/prefect"
    assert variable not in manager.environment(settings(tmp_path))


def test_a_password_in_an_address_is_refused_and_repeated_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {
        "tracking_uri": "postgresql://nightshift:s3cr3t@db/mlflow",
        "prefect_database": "postgresql://nightshift@db/prefect?password=s3cr3t",
        "prefect_url": "http://ada:s3cr3t@db:4200",
    }
    with pytest.raises(ValidationError) as refused:
        settings(tmp_path, **secret)
    assert secret.keys() <= {str(each["loc"][0]) for each in refused.value.errors()}
    assert "s3cr3t" not in str(refused.value)
    for name, value in secret.items():
        monkeypatch.setenv(f"NIGHTSHIFT_{name.upper()}", value)
    with pytest.raises(SystemExit) as ended:
        read(["--name", "own", "--source.uri", "logs"])
    assert "s3cr3t" not in str(ended.value.code)
    assert "tracking_uri: it holds a password" in str(ended.value.code)
    assert "prefect_database: it holds a password" in str(ended.value.code)
    assert "~/.pgpass" in str(ended.value.code)


def test_another_database_of_prefects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="prefect_database"):
        settings(tmp_path, prefect_database="mysql://nightshift@db/prefect")
