from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from pydantic import ValidationError

from flows import manager
from flows.alerts import AlertConfig
from flows.manager import ROOT, Manager, environment
from flows.service import Answer, Service, services
from flows.settings import NightlySettings
from tests.integration.conftest import until
from tests.patience import LONG_SECONDS


def settings(home: Path, tracking_uri: str | None = None) -> NightlySettings:
    return NightlySettings(home=home, tracking_uri=tracking_uri)


def test_mlflow_keeps_its_records_in_the_database_that_is_set(tmp_path: Path) -> None:
    own = settings(tmp_path, "postgresql://mlflow@db/mlflow")
    assert environment(own)["MLFLOW_STORE"] == "postgresql://mlflow@db/mlflow"
    assert [each.name for each in services(own)] == ["prefect", "mlflow", "worker", "server"]
    assert environment(settings(tmp_path))["MLFLOW_STORE"] == f"sqlite:///{tmp_path}/mlflow.db"


def test_an_mlflow_elsewhere_is_used_and_none_is_started(tmp_path: Path) -> None:
    elsewhere = settings(tmp_path, "https://mlflow.example.com")
    assert environment(elsewhere)["MLFLOW_STORE"] == "https://mlflow.example.com"
    assert [each.name for each in services(elsewhere)] == ["prefect", "worker", "server"]


def test_each_fall_of_a_service_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "manager.log"
    assert Manager(1, log).fallen() == []
    log.write_text("INFO exited: worker (exit status 1; not expected)\nINFO spawned: 'worker' with pid 7\n" * 2)
    assert Manager(1, log).fallen() == ["worker", "worker"]


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_manager_whose_home_was_deleted_is_known(tmp_path: Path) -> None:
    own = settings(tmp_path / "home")
    started = manager.start(own, ())
    try:
        assert until(started.log.is_file, LONG_SECONDS)
        assert manager.outlived(own) == []
        shutil.rmtree(own.home)
        assert manager.outlived(own) == [started.pid]
        assert manager.outlived(settings(tmp_path / "other")) == []
    finally:
        manager.end(own, [started.pid])


def test_what_does_not_end_when_it_is_asked_to_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings(tmp_path)
    marks = {manager.MARK: str(manager.logs(own)), manager.MANAGER: "manager-worker"}
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", deaf]
    with subprocess.Popen(command, env={**os.environ, **marks}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert manager.orphans(own) == [process.pid]
        monkeypatch.setattr(manager, "KILL_SECONDS", 1)
        manager.end(own, [process.pid])
        assert process.wait() == -signal.SIGKILL


def test_a_server_that_listens_and_says_nothing_is_slow_and_one_that_refuses_is_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        service = Service("prefect", url, f"{url}/api/health")
        assert service.ask(seconds=0.05) is Answer.SLOW
    assert service.ask() is Answer.ABSENT
    assert not service.is_up()


def test_what_speaks_no_http_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        Thread(target=_mumble, args=(listening,), daemon=True).start()
        assert not Service("server", url, url).answers()
        assert Service("server", url, url).port_taken()


def _mumble(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"what?\r\n\r\n")


def test_a_night_is_silent_after_three_heartbeats_at_the_least() -> None:
    assert AlertConfig(silent_seconds=90).silent_seconds == 90
    with pytest.raises(ValidationError, match="greater than or equal to 90"):
        AlertConfig(silent_seconds=89)


def test_a_night_gives_signs_of_life_as_often_wherever_it_is_started(tmp_path: Path) -> None:
    code = "import flows.nightly as _, prefect.settings as s; print(s.get_current_settings().flows.heartbeat_frequency)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    del environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["30"]
