"""The server answers pictures: as they are over gRPC and REST's binary extension, in base64 in REST's JSON."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from types import ModuleType

import httpx
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tritonclient.grpc
import tritonclient.http

from data_contracts.binary import from_json
from data_contracts.job import PublishResult
from models.vision.predictor import VisionPredictor
from tasks.deploy.client import Answer, ask_over_grpc, ask_over_rest
from tasks.deploy.config import ServingConfig
from tests.data_contracts.vision.made_up import bars, encoded
from tests.models.jobs import WINDOWS
from tests.models.serving.published import publish_as
from tests.models.serving.running import Running, running_server
from tests.models.vision.tables import CONFIG, FEATURES, write_tables, write_weights
from tests.patience import LONG_SECONDS

PICTURE = encoded(bars(1)[0][0, :, :, 0])
INFER = "/v2/models/bars/infer"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PublishResult]:
    folder = tmp_path_factory.mktemp("bars")
    weights = write_weights(folder / "weights")
    tables = write_tables(folder / "tables", dict.fromkeys(WINDOWS, 5))
    result = publish_as("bars", folder, "vision", weights, tables, config=CONFIG, features=FEATURES)
    return folder, result


@pytest.fixture(scope="module")
def server(published: tuple[Path, PublishResult]) -> Iterator[Running]:
    folder, _ = published
    with running_server(f"sqlite:///{folder}/mlflow.db", folder, name="bars") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def wanted(published: tuple[Path, PublishResult]) -> dict[str, list[object]]:
    answer: dict[str, list[object]] = VisionPredictor(published[0] / "weights").predict(_table(PICTURE)).to_pydict()
    return answer


def _table(*images: bytes) -> pa.Table:
    return pa.table({"image": list(images)})


@pytest.mark.parametrize("triton", [tritonclient.http, tritonclient.grpc], ids=["REST", "gRPC"])
def test_bytes_are_sent_as_they_are(server: Running, wanted: dict[str, list[object]], triton: ModuleType) -> None:
    url = server.grpc_url if triton is tritonclient.grpc else server.rest_url.removeprefix("http://")
    tensor = triton.InferInput("image", [2], "BYTES")
    tensor.set_data_from_numpy(np.array([PICTURE, PICTURE], dtype=object))
    with triton.InferenceServerClient(url) as client:
        answer = client.infer("bars", [tensor])
        assert answer.as_numpy("label").tolist() == [str(wanted["label"][0]).encode()] * 2
        np.testing.assert_allclose(answer.as_numpy("probabilities"), wanted["probabilities"] * 2, atol=1e-6)
        tensor.set_data_from_numpy(np.array([PICTURE, b"GIF"], dtype=object))
        with pytest.raises(triton.InferenceServerException, match="request 1: image is no PNG or JPEG"):
            client.infer("bars", [tensor])


def _json(data: object) -> dict[str, object]:
    return {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [data]}]}


def test_json_has_them_in_base64(server: Running, wanted: dict[str, list[object]]) -> None:
    answer = server.post(INFER, _json(base64.b64encode(PICTURE).decode()))
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["label"] == wanted["label"]
    assert outputs["classes"] == wanted["classes"][0]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param("no base64!", "wanted base64", id="text"),
        pytest.param("ü", "wanted base64", id="beyond ASCII"),
        pytest.param("", "image is no PNG or JPEG", id="nothing"),
        pytest.param(base64.b64encode(PICTURE[:-30]).decode(), "request 0: image cut short", id="cut short"),
    ],
)
def test_what_is_no_picture_is_a_bad_request(server: Running, data: str, problem: str) -> None:
    refused = server.post(INFER, _json(data))
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert problem in refused.text


def test_a_body_that_is_larger_than_may_be_is_refused(server: Running) -> None:
    assert server.post(INFER, _json("A" * 2**23)).status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


def test_the_page_shows_a_request_that_is_answered(server: Running) -> None:
    *_, body = shlex.split(unescape(server.get("/").text.partition("<pre>")[2].partition("</pre>")[0]))
    answer = httpx.post(server.rest_url + INFER, content=body, timeout=LONG_SECONDS)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert json.loads(body)["inputs"][0]["datatype"] == "BYTES"


def test_the_example_is_one_of_the_pictures(published: tuple[Path, PublishResult]) -> None:
    _, result = published
    assert from_json(result.example["image"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("ask", [ask_over_rest, ask_over_grpc])
def test_a_night_asks_the_example(
    server: Running, published: tuple[Path, PublishResult], ask: Callable[..., Answer]
) -> None:
    answer = ask(ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url), "bars", published[1].example)
    assert answer.values["label"] == answer.values["classes"][0]
    assert sum(answer.values["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_mlflow_answers_a_frame_of_bytes(
    published: tuple[Path, PublishResult], wanted: dict[str, list[object]]
) -> None:
    folder, _ = published
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/bars@champion")
    assert model.predict(pd.DataFrame({"image": [PICTURE]}))["label"].tolist() == wanted["label"]
