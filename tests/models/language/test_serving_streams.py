"""The server says how texts go on while it says so: what it streams is what it answers in one piece."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from tritonclient.utils import InferenceServerException

from tasks.deploy.client import ask_over_rest
from tasks.deploy.config import ServingConfig
from tests.data_contracts.language.made_up import stories, story
from tests.models.jobs import WINDOWS
from tests.models.language.tables import CONFIG, KNOWN, PAIRS, write_subwords, write_tables, write_weights
from tests.models.serving.published import publish_as
from tests.models.serving.running import Running, running_server
from tests.models.serving.streams import conversation, events

pytestmark = pytest.mark.slow

STRANGE = tuple("éЖ昔🌙")
SYMBOLS = {"characters": KNOWN + STRANGE, "bytes": (), "subwords": PAIRS}
WRITE = {"characters": write_tables, "bytes": write_tables, "subwords": write_subwords}
MOST = 600
"""New symbols: of as many random bytes some make characters of two."""


@pytest.fixture(scope="module", params=SYMBOLS)
def tokens(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(tokens)
    features = {"tokens": tokens}
    weights = write_weights(folder / "weights", symbols=SYMBOLS[tokens], features=features)
    tables = WRITE[tokens](folder / "tables", {window: stories(3, seed) for seed, window in enumerate(WINDOWS)})
    publish_as("tales", folder, "language", weights, tables, config=CONFIG, features=features)
    with running_server(f"sqlite:///{folder}/mlflow.db", folder, name="tales") as running:
        running.wait_until_ready()
        yield running


def in_one_piece(server: Running, **asked: object) -> str:
    serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)
    return str(ask_over_rest(serving, "tales", asked).values["continuation"])


def test_over_rest_the_pieces_are_the_continuation_of_the_same_seed(server: Running) -> None:
    whole = []
    for seed in range(8):
        asked = {"prompt": story(seed) + "é🌙", "max_new": MOST, "temperature": 1.0, "seed": seed}
        with events(server, "tales", asked) as pieces:
            whole.append([piece["continuation"] for piece in pieces])
        assert "".join(whole[-1]) == in_one_piece(server, **asked)
    said = [piece for pieces in whole for piece in pieces]
    assert len(said) > 50
    assert any(len(piece.encode()) > 1 and piece != "\ufffd" for piece in said), "some characters are of several bytes"


def test_over_grpc_the_pieces_are_the_same(server: Running) -> None:
    prompt = story(0)
    with conversation(server, "tales") as call:
        asked = {"prompt": ("BYTES", prompt.encode()), "max_new": ("INT32", 40), "seed": ("INT32", 5)}
        call.ask(asked)
        said = [text.decode() for piece in call.pieces() for text in piece.as_numpy("continuation")]
        assert "".join(said) == in_one_piece(server, prompt=prompt, max_new=40, seed=5)
        assert len(said) > 1
        call.ask(asked | {"max_new": ("INT32", -1)})
        with pytest.raises(InferenceServerException, match="max_new is -1, wanted 0 to 1,000"):
            call.next()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param({"seed": 1}, "prompt is missing", id="no prompt"),
        pytest.param({"prompt": "x", "max_new": 1_001}, "max_new is 1,001, wanted 0 to 1,000", id="too many"),
        pytest.param({"prompt": "x", "temperature": -1}, "temperature is -1.0, wanted 0 or more", id="too cold"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(server: Running, asked: dict[str, object], reason: str) -> None:
    answer = server.post("/v2/models/tales/generate_stream", asked)
    assert (answer.status_code, reason in answer.json()["error"]) == (httpx.codes.BAD_REQUEST, True), answer.text


def test_the_page_shows_the_command_that_streams(server: Running) -> None:
    shown = server.get("/").text.rpartition("<pre>")[2].partition("</pre>")[0]
    command = shlex.split(unescape(shown))
    assert command[:3] == ["curl", "-N", f"{server.rest_url}/v2/models/tales/generate_stream"]
    done = subprocess.run([*command, "-s"], capture_output=True, text=True, check=True)
    said = [json.loads(line.removeprefix("data: "))["continuation"] for line in done.stdout.splitlines() if line]
    assert "".join(said) == in_one_piece(server, **json.loads(command[-1]))
