from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import report
from flows.settings import NightlySettings
from tests.models.serving.echo import publish_echo
from tests.models.serving.running import running_server
from tests.models.serving.tiny_shop import register_two
from tests.patience import LONG_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "publish", "example", "pieces"),
    [
        pytest.param("echo", publish_echo, {"text": "it's ", "times": 2, "marks": None}, 2, id="a model that streams"),
        pytest.param("shop", register_two, {"user_id": "ada", "k": 3}, 0, id="a model that does not"),
    ],
)
def test_a_night_shows_how_a_model_that_streams_is_asked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    publish: Callable[[Path], str],
    example: dict[str, object],
    pieces: int,
) -> None:
    registry = publish(tmp_path)
    with running_server(registry, tmp_path, name=name) as server:
        server.wait_until_ready()
        serving = {"rest_url": server.rest_url, "grpc_url": server.grpc_url}
        settings = NightlySettings.model_validate(
            {"name": name, "source": {"uri": "none"}, "tracking_uri": registry, "serving": serving}
        )
        report.answers(settings, example)
        over_rest, over_grpc, *more = capsys.readouterr().out.splitlines()
        assert over_rest.startswith("over REST, by version 1: ")
        assert over_grpc.startswith("over gRPC, by version 1: ")
        assert len(more) == bool(pieces), more
        for line in more:
            command = shlex.split(line.removeprefix("in pieces: "))
            done = subprocess.run([*command, "-s"], capture_output=True, text=True, check=True, timeout=LONG_SECONDS)
            assert done.stdout.count('"said":"it\'s "') == pieces, done.stdout
