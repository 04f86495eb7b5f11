from __future__ import annotations

from pathlib import Path

import pytest

from flows.answering import main, read
from flows.command import run
from flows.nightly import nightly_retrain
from tests.integration.conftest import free_ports


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without servers."""
    for name, port in zip(("PREFECT_URL", "MLFLOW_URL", "SERVING__REST_URL"), free_ports(3), strict=True):
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--why", "good"], "one of the arguments --yes --no is required", id="neither"),
        pytest.param(["--yes", "--no", "--why", "good"], "--no: not allowed with argument --yes", id="both"),
        pytest.param(["--yes"], "arguments are required: --why", id="no reason"),
        pytest.param(["--yes", "--why", " "], "--why and --who take some words", id="an empty reason"),
    ],
)
def test_an_answer_is_a_yes_or_a_no_with_a_reason(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read(arguments)
    assert said in capsys.readouterr().err


def test_who_answers_is_whoever_is_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    _, answer = read(["--no", "--why", "not before the holidays"])
    assert str(answer) == "ada said no: not before the holidays."


@pytest.mark.usefixtures("nobody")
def test_without_prefects_server_there_is_no_question_to_answer() -> None:
    with pytest.raises(SystemExit, match=r"does not answer, and questions are kept there. `make up` starts it"):
        main(["--yes", "--why", "good"])


def test_a_night_whose_question_nobody_would_ask_does_nothing(nobody: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)gate.approval: .* `make up` serves it.*Nothing was done"):
        run(nightly_retrain, ["--source.uri", "logs/*.csv", "--name", "own", "--gate.approval", "true"])
    assert not nobody.exists()
