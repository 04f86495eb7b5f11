"""Answers in pieces as clients meet them: REST's event stream, and tritonclient's over gRPC."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from tritonclient.utils import InferenceServerException

from tests.integration.conftest import until
from tests.models.serving.echo import publish_echo
from tests.models.serving.running import Running, running_server
from tests.models.serving.streams import conversation, events
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow

STREAM, INFER = "/v2/models/echo/generate_stream", "/v2/models/echo/infer"
LARGE = "x" * 50_000
"""Some of these fill every buffer on the way to a client that does not read."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_echo(tmp_path_factory.mktemp("echo"))


@pytest.fixture(scope="module")
def server(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(registry, tmp_path_factory.mktemp("server"), "--workers", "1", name="echo") as running:
        running.wait_until_ready()
        yield running


def metric(server: Running, name: str, **labels: str) -> float:
    wanted = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    found = re.search(rf"^{name}{{{wanted}}} (\S+)$", server.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def infer(server: Running, text: str, times: int) -> httpx.Response:
    inputs = [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]},
        {"name": "times", "shape": [1], "datatype": "INT32", "data": [times]},
    ]
    return server.post(INFER, {"inputs": inputs})


def text_and_times(text: str, times: int) -> dict[str, tuple[str, object]]:
    return {"text": ("BYTES", text.encode()), "times": ("INT32", times)}


def test_pieces_come_as_events_with_the_model_and_its_version(server: Running) -> None:
    with events(server, "echo", {"text": "naïve 🌙\n", "times": 3}) as pieces:
        said = list(pieces)
    assert said == [{"model_name": "echo", "model_version": "1", "said": "naïve 🌙\n"}] * 3
    assert "".join(piece["said"] for piece in said) == infer(server, "naïve 🌙\n", 3).json()["outputs"][0]["data"][0]


def test_an_answer_may_have_no_piece(server: Running) -> None:
    with events(server, "echo", {"text": "nothing", "times": 0}) as pieces:
        assert list(pieces) == []


def test_columns_may_stand_under_parameters_and_the_version_in_the_path(server: Running) -> None:
    asked = {"text": "a", "parameters": {"times": 2, "marks": ["!", "?"]}, "fails_after": None}
    answer = server.post("/v2/models/echo/versions/1/generate_stream", asked)
    assert [json.loads(event[6:])["said"] for event in answer.text.split("\n\n") if event] == ["a!?", "a!?"]


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        pytest.param(STREAM, b"{", 400, "no JSON object of columns", id="no JSON"),
        pytest.param(STREAM, b"[]", 400, "no JSON object of columns", id="a list"),
        pytest.param(STREAM, b'{"text": null}', 400, "nothing is asked, wanted some of text", id="nothing"),
        pytest.param(STREAM, b'{"parameters": 7}', 400, "no JSON object of columns", id="odd parameters"),
        pytest.param(STREAM, b'{"text": {"b64": "QQ=="}}', 400, "'text': an object, wanted a value", id="no text"),
        pytest.param(STREAM, b'{"txt": "a"}', 400, "'txt': unknown, wanted some of text, times", id="unknown"),
        pytest.param(STREAM, b'{"text": 7}', 400, "input 'text': 7 in its data, wanted BYTES", id="a number"),
        pytest.param(STREAM, b'{"text": "a", "times": "b"}', 400, "wanted INT32", id="no number"),
        pytest.param(STREAM, b'{"text": "a", "marks": "b"}', 400, "'marks': 'b', wanted a list", id="no list"),
        pytest.param(STREAM, b'{"text": ["a", "b"]}', 400, "input 'text'", id="two rows"),
        pytest.param(STREAM, b'{"times": 3}', 400, "text is missing", id="what the predictor says"),
        pytest.param(STREAM, b'{"text": "a", "fails_after": 0}', 500, "internal error", id="a fault at once"),
        pytest.param(STREAM.replace("echo", "ego"), b"{}", 404, "ego does not exist", id="another model"),
        pytest.param(
            STREAM.replace("echo", "echo/versions/9"), b'{"text": "a"}', 400, "version '1' is served", id="version"
        ),
    ],
)
def test_what_is_wrong_before_the_first_piece_has_a_status(
    server: Running, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = httpx.post(server.rest_url + path, content=body, timeout=LONG_SECONDS)
    assert (answer.status_code, reason in answer.json()["error"]) == (status, True), answer.text


def test_what_fails_within_a_stream_is_its_last_event(server: Running) -> None:
    failed = metric(server, "nightshift_streams_total", ended="failed", model="echo", version="1")
    with events(server, "echo", {"text": "a", "times": 5, "fails_after": 2}) as pieces:
        first, second, last = pieces
    assert first["said"] == second["said"] == "a"
    assert last == {"error": "internal error; the server's log says more."}
    assert metric(server, "nightshift_streams_total", ended="failed", model="echo", version="1") == failed + 1
    server.wait_until_said("RuntimeError: it fails, as it was told")


def test_who_goes_away_ends_the_work(server: Running) -> None:
    with events(server, "echo", {"text": "forsaken"}) as pieces:
        assert next(pieces)["said"] == "forsaken"
        assert metric(server, "nightshift_streams_open", model="echo", version="1") >= 1
    server.wait_until_said("forsaken is said no more")
    with conversation(server, "echo") as call:
        call.ask({"text": ("BYTES", b"cancelled")})
        assert call.next().as_numpy("said").tolist() == [b"cancelled"]
    server.wait_until_said("cancelled is said no more")
    assert metric(server, "nightshift_streams_open", model="echo", version="1") == 0
    assert metric(server, "nightshift_streams_total", ended="left", model="echo", version="1") >= 2


def test_endless_streams_hold_up_nobody(server: Running) -> None:
    with (
        events(server, "echo", {"text": LARGE}) as one,
        events(server, "echo", {"text": LARGE}) as other,
        conversation(server, "echo") as call,
    ):
        call.ask({"text": ("BYTES", LARGE.encode())})
        assert next(one)["said"] == next(other)["said"] == LARGE
        assert len(call.next().as_numpy("said")[0]) == len(LARGE)
        assert infer(server, "a", 2).json()["outputs"][0]["data"] == ["aa"], "one thread computes for all"
        assert next(one)["said"] == next(other)["said"] == LARGE
    assert until(lambda: not metric(server, "nightshift_streams_open", model="echo", version="1"), LONG_SECONDS)


def test_a_piece_that_takes_long_does_not_keep_the_server_from_listening(server: Running, tmp_path: Path) -> None:
    signal = tmp_path / "go on"
    with events(server, "echo", {"text": "a", "times": 2, "waits_for": str(signal)}) as pieces:
        next(pieces)
        assert server.get("/v2/health/live").status_code == httpx.codes.OK
        assert metric(server, "nightshift_streams_open", model="echo", version="1") == 1
        signal.touch()
        assert [piece["said"] for piece in pieces] == ["a"]


def test_a_stream_ends_on_the_version_it_began_with(registry: str, tmp_path: Path) -> None:
    with running_server(registry, tmp_path, name="echo") as server:
        server.wait_until_ready()
        with events(server, "echo", {"text": LARGE}) as pieces:
            next(pieces)
            for operation in ("stage", "switch"):
                assert server.operate(operation, "2", name="echo").status_code == httpx.codes.OK
            before = int(metric(server, "nightshift_stream_pieces_total", model="echo", version="1"))
            read = list(islice(pieces, before + 1))  # one of them, at least, was computed after the switch
            assert {(piece["model_version"], piece["said"]) for piece in read} == {("1", LARGE)}
            with events(server, "echo", {"text": "a", "times": 1}) as others:
                assert [piece["model_version"] for piece in others] == ["2"]


def test_a_server_that_is_told_to_end_does_not_wait_for_endless_streams(registry: str, tmp_path: Path) -> None:
    with (
        running_server(registry, tmp_path, name="echo") as server,
        conversation(server, "echo") as call,
    ):
        server.wait_until_ready()
        with events(server, "echo", {"text": LARGE}) as pieces:
            next(pieces)
            call.ask({"text": ("BYTES", b"endless")})
            call.next()
            server.process.terminate()
            assert server.process.wait(LONG_SECONDS) == 0, server.log.read_text()
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)


def test_the_page_shows_a_request_that_is_streamed(server: Running) -> None:
    *_, shown = re.findall(r"<pre>(.*?)</pre>", server.get("/").text)
    command = shlex.split(unescape(shown))
    assert command[:3] == ["curl", "-N", server.rest_url + STREAM]
    done = subprocess.run([*command, "-s"], capture_output=True, text=True, check=True, timeout=LONG_SECONDS)
    assert done.stdout.count('"said":"tick "') == 3, done.stdout


def test_over_grpc_requests_are_answered_one_after_the_other_and_each_last_piece_is_marked(server: Running) -> None:
    with conversation(server, "echo") as call:
        for name, times in (("first", 3), ("second", 1), ("none", 0)):
            call.ask(text_and_times(name, times), request_id=name)
        for name, times in (("first", 3), ("second", 1)):
            responses = list(call.pieces())
            assert [result.as_numpy("said").tolist() for result in responses] == [[name.encode()]] * times
            assert {result.get_response().id for result in responses} == {name}
            assert {result.get_response().model_version for result in responses} == {"1"}
        (empty,) = call.pieces()
        assert (empty.get_response().id, empty.as_numpy("said")) == ("none", None)


@pytest.mark.parametrize(
    ("request_", "options", "reason"),
    [
        pytest.param({"txt": ("BYTES", b"a")}, {}, "input 'txt': unknown", id="unknown"),
        pytest.param({"text": ("BYTES", b"\xff")}, {}, "is not UTF-8", id="no text"),
        pytest.param({"times": ("INT32", 3)}, {}, "text is missing", id="what the predictor says"),
        pytest.param({"text": ("BYTES", b"a")}, {"model_name": "ego"}, "ego does not exist", id="another model"),
        pytest.param({"text": ("BYTES", b"a")}, {"model_version": "9"}, "version '1' is served", id="version"),
        pytest.param(
            {"text": ("BYTES", b"a"), "fails_after": ("INT32", 0)}, {}, "internal error", id="a fault at once"
        ),
    ],
)
def test_over_grpc_what_is_wrong_is_said_and_the_next_request_answered(
    server: Running, request_: dict[str, tuple[str, object]], options: dict[str, Any], reason: str
) -> None:
    with conversation(server, "echo") as call:
        call.ask(request_, **options)
        call.ask(text_and_times("good", 1))
        with pytest.raises(InferenceServerException, match=reason):
            call.next()
        (good,) = call.pieces()
        assert good.as_numpy("said").tolist() == [b"good"]


def test_over_grpc_what_fails_within_a_stream_comes_behind_its_pieces(server: Running) -> None:
    with conversation(server, "echo") as call:
        call.ask({**text_and_times("a", 5), "fails_after": ("INT32", 2)})
        assert [call.next().as_numpy("said").tolist() for _ in range(2)] == [[b"a"], [b"a"]]
        with pytest.raises(InferenceServerException, match="internal error"):
            call.next()
