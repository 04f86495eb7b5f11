"""The server as clients and its operator meet it: a process of its own, tritonclient unmodified."""

from __future__ import annotations

import html
import json
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc.service_pb2 import ModelInferRequest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import InferenceServerException

from data_contracts.serving import operations_socket
from tests.models.serving.running import ROOT, Running, command_line, running_server
from tests.models.serving.streams import conversation
from tests.models.serving.tiny_shop import damage, item, register_two
from tests.patience import LONG_SECONDS

pytestmark = pytest.mark.slow

INFER = "/v2/models/shop/infer"

USER_ID = {"name": "user_id", "shape": [1], "datatype": "BYTES"}
USER = {**USER_ID, "parameters": {"binary_data_size": 6}}
HEAD = json.dumps({"inputs": [USER]}).encode()
TORN = (HEAD + b"\x03\0\0\0ad", {"inference-header-content-length": str(len(HEAD))})
"""A user's id of three bytes, of which two came."""


def with_head(**changed: object) -> tuple[bytes, dict[str, str]]:
    """A body that says how long its JSON is, so that only the data plane looks at it."""
    body = json.dumps({"inputs": [{**USER, "data": ["ada"], "parameters": None}], **changed}).encode()
    return body, {"inference-header-content-length": str(len(body))}


@pytest.fixture(scope="module")
def server(shop: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(shop[0], tmp_path_factory.mktemp("server"), "--max-bytes", "65536") as running:
        running.wait_until_ready()
        yield running


class Triton:
    """tritonclient, http or grpc: what differs between them."""

    def __init__(self, module: ModuleType, server: Running) -> None:
        self.module = module
        self.client = module.InferenceServerClient(
            server.grpc_url if module is tritonclient.grpc else server.rest_url.removeprefix("http://")
        )

    def tensor(self, name: str, values: Any, datatype: str = "BYTES") -> Any:
        numbers = {"BYTES": np.object_, "INT32": np.int32, "INT64": np.int64}
        array: Any = np.array(values, dtype=numbers[datatype])
        tensor = self.module.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        return tensor

    def ask(self, *tensors: Any, model: str = "shop", **options: str) -> tuple[list[list[str]], Any, list[str], str]:
        answer = self.client.infer(model, list(tensors), **options)
        response = answer.get_response()
        version = response["model_version"] if isinstance(response, dict) else response.model_version
        items = [[text.decode() for text in row] for row in answer.as_numpy("item_id")]
        sources = [text.decode() for text in answer.as_numpy("source")]
        return items, answer.as_numpy("score"), sources, str(version)


@pytest.fixture(params=[tritonclient.http, tritonclient.grpc], ids=["REST", "gRPC"])
def triton(request: pytest.FixtureRequest, server: Running) -> Iterator[Triton]:
    triton = Triton(request.param, server)
    yield triton
    triton.client.close()


def test_it_is_live_ready_and_describes_its_model(triton: Triton) -> None:
    client = triton.client
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shop")
    metadata = client.get_model_metadata("shop")
    inputs = metadata["inputs"] if isinstance(metadata, dict) else metadata.inputs
    assert [one["name"] if isinstance(one, dict) else one.name for one in inputs] == [
        "user_id",
        "history",
        "k",
        "times",
    ]


@pytest.mark.parametrize("datatype", ["INT32", "INT64"])
def test_users_get_items_scores_sources_and_the_version(triton: Triton, datatype: str) -> None:
    items, scores, sources, version = triton.ask(
        triton.tensor("user_id", ["ada", "nobody"]), triton.tensor("k", [3], datatype)
    )
    assert sources == ["history", "popular: unknown user"]
    assert not {item(1), item(2), item(3)} & set(items[0])
    assert items[1] == [item(1), item(2), item(3)]
    assert scores.shape == (2, 3)
    assert scores.dtype == np.float32
    assert version == "1"


def test_histories_are_one_request_or_many_padded(triton: Triton) -> None:
    one = triton.ask(triton.tensor("history", [item(1), item(2)]), triton.tensor("k", [4], "INT32"))
    many = triton.ask(
        triton.tensor("history", [[item(1), item(2)], [item(4), ""], ["", ""]]), triton.tensor("k", [4, 2, 1], "INT32")
    )
    assert many[0][0] == one[0][0]
    assert many[0][1][2:] == ["", ""]
    assert many[2] == ["history", "history", "popular: empty history"]


@pytest.mark.parametrize(
    ("tensors", "options", "reason"),
    [
        pytest.param({"k": ([0], "INT32")}, {}, "neither of user_id and history", id="nobody asks"),
        pytest.param(
            {"user_id": (["ada"], "BYTES"), "k": ([1001], "INT32")}, {}, "k is 1,001, wanted 1 to 1,000", id="k"
        ),
        pytest.param({"user": (["ada"], "BYTES")}, {}, "input 'user': unknown", id="an unknown input"),
        pytest.param({"user_id": (["ada"] * 257, "BYTES")}, {}, "257 requests in one call", id="too many"),
        pytest.param({"user_id": ([b"\xff"], "BYTES")}, {}, "UTF-8", id="no text"),
        pytest.param({"user_id": (["ada"], "BYTES")}, {"model": "nope"}, "nope does not exist", id="another model"),
        pytest.param({"user_id": (["ada"], "BYTES")}, {"model_version": "9"}, "ersion", id="another version"),
        pytest.param({"user_id": (["ada" * 50_000], "BYTES")}, {}, "larger than", id="too large"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(
    triton: Triton, tensors: dict[str, tuple[list[Any], str]], options: dict[str, str], reason: str
) -> None:
    with pytest.raises(InferenceServerException) as error:
        triton.ask(*(triton.tensor(name, *given) for name, given in tensors.items()), **options)
    assert reason in error.value.message()
    assert error.value.status() not in {"500", "StatusCode.INTERNAL", "StatusCode.UNKNOWN"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        pytest.param(b"{", {"content-type": "application/json"}, 400, "Invalid JSON", id="no JSON"),
        pytest.param(
            b'{"inputs": [{}]}', {"content-type": "application/json"}, 400, "shape: Field required", id="JSON"
        ),
        pytest.param(b"abc", {}, 400, "", id="bytes"),
        pytest.param(*TORN, 400, "input 'user_id': its data does not make a tensor", id="torn bytes"),
        pytest.param(b"{}", {"inference-header-content-length": "2"}, 400, "cannot be decoded", id="no inputs"),
        pytest.param(b"{}", {"inference-header-content-length": "x"}, 400, "cannot be decoded", id="no length"),
        pytest.param(*with_head(id={}), 400, "id is {}", id="an id that is no text"),
        pytest.param(*with_head(parameters=["a"]), 400, "parameters is ['a']", id="parameters that are a list"),
        pytest.param(*with_head(inputs=[{**USER, "data": {}}]), 400, "its data is {}, wanted a list", id="no list"),
        pytest.param(b"{}", {"content-encoding": "gzip"}, 415, "a body that is gzip is not read", id="compressed"),
        pytest.param(b"{}", {"host": "evil.example"}, 400, "", id="another host"),
        pytest.param(
            b"0" * 70_000, {"content-type": "application/json"}, 413, "larger than 65,536 bytes", id="too large"
        ),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    server: Running, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = httpx.post(server.rest_url + INFER, content=body, headers=headers, timeout=LONG_SECONDS)
    assert (answer.status_code, reason in answer.text) == (status, True), answer.text


ADA = b"\x03\0\0\0ada"
"""A user's id, as bytes of a tensor."""


@pytest.mark.parametrize(
    ("inputs", "raw", "reason"),
    [
        pytest.param([USER_ID], [ADA, ADA], "inputs (1) does not match", id="more bytes than inputs"),
        pytest.param([], [ADA], "inputs (0) does not match", id="bytes without an input"),
        pytest.param([USER_ID, {**USER_ID, "name": "k"}], [ADA], "inputs (2) does not match", id="less bytes"),
        pytest.param([USER_ID], [ADA[:5]], "input 'user_id': its data does not make a tensor", id="torn bytes"),
        pytest.param([{**USER_ID, "datatype": "TEXT"}], [], "invalid content type", id="no datatype"),
        pytest.param([USER_ID], [], "input 'user_id': its data does not make a tensor", id="no data"),
    ],
)
def test_a_message_whose_tensors_cannot_be_decoded_is_refused(
    server: Running, inputs: list[dict[str, Any]], raw: list[bytes], reason: str
) -> None:
    message = ModelInferRequest(model_name="shop", inputs=inputs, raw_input_contents=raw)
    with grpc.insecure_channel(server.grpc_url) as channel, pytest.raises(grpc.RpcError) as error:
        GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=LONG_SECONDS)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in error.value.details()


def test_a_model_that_answers_in_one_piece_says_so_and_how_to_ask(server: Running) -> None:
    answer = server.post("/v2/models/shop/generate_stream", {"user_id": "ada"})
    wanted = "shop version 1 answers in one piece: POST /v2/models/shop/infer, over gRPC ModelInfer."
    assert (answer.status_code, answer.json()) == (400, {"error": wanted})
    assert server.get("/nightshift/models/shop").json()["served"]["streams"] is False
    assert "curl -N" not in server.get("/").text
    with conversation(server, "shop") as call:
        call.ask({"user_id": ("BYTES", b"ada")})
        with pytest.raises(InferenceServerException) as error:
            call.next()
    assert (error.value.status(), error.value.message()) == ("StatusCode.UNIMPLEMENTED", wanted)


def test_it_answers_curl_in_json(server: Running) -> None:
    body = {"inputs": [{"name": "user_id", "shape": [1], "datatype": "BYTES", "data": ["ada"]}], "id": "7"}
    answer = server.post(INFER, body).json()
    assert (answer["id"], answer["model_version"]) == ("7", "1")
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert outputs["source"] == ["history"]
    assert len(outputs["item_id"]) == len(outputs["score"]) == 6


def test_a_body_is_json_whatever_its_type_is_called(server: Running) -> None:
    body = json.dumps({"inputs": [{**USER_ID, "data": ["ada"]}]})
    for kind in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        answer = httpx.post(server.rest_url + INFER, content=body, headers=kind, timeout=LONG_SECONDS)
        assert answer.json()["model_version"] == "1", answer.text
    tensor = tritonclient.http.InferInput("user_id", [1], "BYTES")
    tensor.set_data_from_numpy(np.array(["ada"], dtype=object), binary_data=False)
    wanted = tritonclient.http.InferRequestedOutput("source", binary_data=False)
    with tritonclient.http.InferenceServerClient(server.rest_url.removeprefix("http://")) as client:
        assert client.infer("shop", [tensor], outputs=[wanted]).as_numpy("source").tolist() == ["history"]


@pytest.mark.parametrize("operation", ["stage", "switch"])
@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "127.0.0.1"}, {"host": "localhost"}])
def test_no_request_to_the_port_changes_what_is_served(
    server: Running, operation: str, headers: dict[str, str]
) -> None:
    url = f"{server.rest_url}/nightshift/models/shop/{operation}"
    answer = httpx.post(url, json={"version": "2"}, headers=headers, timeout=LONG_SECONDS)
    assert answer.status_code == 404, answer.text
    assert server.get("/nightshift/models/shop").json()["staged"] is None


def test_only_the_servers_own_user_may_operate_it(server: Running) -> None:
    socket_file = operations_socket(int(server.rest_url.rpartition(":")[2]))
    assert stat.S_IMODE(socket_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_file.parent.stat().st_mode) == 0o700


def test_versions_that_are_not_there_or_no_number_are_refused_and_all_in_memory_stay(server: Running) -> None:
    assert server.operate("stage", "2").status_code == 200
    absent, odd = server.operate("stage", "77"), server.operate("stage", "01")
    assert (absent.status_code, "shop has no version 77 in the registry" in absent.text) == (404, True), absent.text
    assert (odd.status_code, "version" in odd.text) == (400, True), odd.text
    state = server.get("/nightshift/models/shop").json()
    assert (state["served"]["version"], state["staged"]["version"]) == ("1", "2")


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/shop/ready"])
def test_health_is_asked_by_head_too(server: Running, path: str) -> None:
    answer = httpx.head(server.rest_url + path, timeout=LONG_SECONDS)
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_page_says_what_is_served_and_how_to_ask(server: Running) -> None:
    page = server.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "Version <b>1</b> answers, since 20" in page.text
    curl = shlex.split(html.unescape(page.text.partition("<pre>")[2].partition("</pre>")[0]))
    assert curl[:2] == ["curl", f"{server.rest_url}/v2/models/shop/infer"]
    assert (
        httpx.post(
            curl[1], content=curl[-1], headers={"content-type": "application/json"}, timeout=LONG_SECONDS
        ).status_code
        == 200
    )


def test_a_path_that_is_not_there_is_said_so(server: Running) -> None:
    assert server.get("/nope").status_code == 404
    assert server.get("/nightshift/models/other").status_code == 404


def test_nobody_loads_or_unloads_models_by_the_protocols_extension(server: Running) -> None:
    for operation in ("load", "unload"):
        answer = server.post(f"/v2/repository/models/shop/{operation}", None)
        assert (answer.status_code, "staged and switched" in answer.text) == (400, True)
    assert server.get("/v2/health/ready").status_code == 200


def test_it_listens_on_this_machine_only(server: Running) -> None:
    others = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for host in others - {"127.0.0.1", "127.0.1.1"}:
        for url in (server.rest_url, server.grpc_url):
            with socket.socket() as probe:
                assert probe.connect_ex((host, int(url.rpartition(":")[2]))) != 0


def test_a_switch_during_traffic_loses_no_request(server: Running) -> None:
    enough = Event()
    with ThreadPoolExecutor(2) as threads:
        modules = (tritonclient.http, tritonclient.grpc)
        traffic = [threads.submit(_ask_until, enough, server, module) for module in modules]
        for version in ("2", "1"):
            assert server.operate("stage", version).status_code == 200
            time.sleep(0.3)
            assert server.operate("switch", version).json()["served"]["version"] == version
            time.sleep(0.3)
        enough.set()
        for client in traffic:
            versions = client.result()
            assert [now for now, before in zip(versions[1:], versions, strict=False) if now != before] == ["2", "1"]


def _ask_until(enough: Event, server: Running, module: ModuleType) -> list[str]:
    triton = Triton(module, server)
    versions = []
    while not enough.is_set():
        versions.append(triton.ask(triton.tensor("user_id", ["ada"]))[3])
    triton.client.close()
    return versions


def test_a_server_without_a_model_takes_one_later_and_refuses_a_damaged_one(
    shop: tuple[str, Path], tmp_path: Path
) -> None:
    with running_server(shop[0], tmp_path, name="unborn") as server:
        for module in (tritonclient.http, tritonclient.grpc):
            triton = Triton(module, server)
            assert triton.client.is_server_live()
            assert not triton.client.is_server_ready()
            with pytest.raises(InferenceServerException, match="is not ready"):
                triton.ask(triton.tensor("user_id", ["ada"]), model="unborn")
            triton.client.close()
        assert "No version is in service yet" in server.get("/").text

        register_two(shop[1], name="unborn")
        damage(shop[0], "unborn", "2")
        assert server.operate("stage", "1", name="unborn").status_code == 200
        assert server.operate("switch", "1", name="unborn").status_code == 200
        assert server.get("/v2/health/ready").status_code == 200

        refused = server.operate("stage", "2", name="unborn")
        assert refused.status_code == 409
        assert "DamagedError" in refused.json()["error"]
        assert "'model.safetensors': sha256 is" in refused.json()["error"]
        assert server.operate("switch", "2", name="unborn").status_code == 409
        state = server.get("/nightshift/models/unborn").json()
        assert (state["served"]["version"], state["staged"]) == ("1", None)


def test_a_server_whose_registry_failed_at_its_start_serves_the_champion_later(
    shop: tuple[str, Path], tmp_path: Path
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"no database")
    with running_server(f"sqlite:///{database}", tmp_path) as server:
        server.wait_until_said("nothing is served; asking again in 10 s: shop's champion cannot be had now")
        assert server.get("/v2/health/ready").status_code == 503
        shutil.copyfile(shop[1] / "mlflow.db", database)
        server.wait_until_ready()
        assert server.get("/nightshift/models/shop").json()["served"]["version"] == "1"


@pytest.mark.parametrize("option", ["--rest-port", "--grpc-port"])
def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path, option: str) -> None:
    ports = {"--rest-port": "0", "--grpc-port": "0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports[option] = str(taken.getsockname()[1])
        options = [text for pair in ports.items() for text in pair]
        command = command_line(f"sqlite:///{tmp_path}/mlflow.db", *options)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONG_SECONDS)
    assert done.returncode == 1
    assert f"the model server cannot start: 127.0.0.1:{ports[option]} cannot be bound" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_answers_while_a_large_body_is_decoded_and_says_how_long_a_history_may_be(
    shop: tuple[str, Path], tmp_path: Path
) -> None:
    history = {"name": "history", "shape": [800_000], "datatype": "BYTES", "data": ["a"] * 800_000}
    body = json.dumps({"inputs": [history]}, separators=(",", ":"))
    with running_server(shop[0], tmp_path, "--host", "::1") as server, ThreadPoolExecutor(1) as threads:
        assert server.rest_url.startswith("http://[::1]:")
        server.wait_until_ready()
        asked = threads.submit(httpx.post, server.rest_url + INFER, content=body, timeout=LONG_SECONDS)
        alive = 0
        while not asked.done():
            alive += server.get("/v2/health/live").status_code == 200
        answer = asked.result()
        assert (answer.status_code, "history holds 800,000 items, wanted 10,000 at most" in answer.text) == (400, True)
        assert alive > 1, "it was asked again and again while the body was read"


def test_help_explains_every_option() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "models.serving.server", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "live, not ready" in " ".join(done.stdout.split())
    assert json.dumps(done.stdout).count("--") >= 9
