"""The server says how likely a finding is: over REST and gRPC, from a bundle that has how its numbers are read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from types import ModuleType

import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests.data_contracts.vision.made_up import bars, encoded
from tests.models.jobs import WINDOWS
from tests.models.medical.tables import CONFIG, FEATURES, FINDING, write_weights
from tests.models.serving.published import publish_as
from tests.models.serving.running import Running, running_server
from tests.models.vision.tables import write_tables

PICTURE = encoded(bars(1)[0][0, :, :, 0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("scans")
    weights = write_weights(folder / "weights", abstains={"low": 0.0, "high": 1.0})
    tables = write_tables(folder / "tables", dict.fromkeys(WINDOWS, 5))
    publish_as("scans", folder, "medical", weights, tables, config=CONFIG, features=FEATURES)
    with running_server(f"sqlite:///{folder}/mlflow.db", folder, name="scans") as running:
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize("triton", [tritonclient.http, tritonclient.grpc], ids=["REST", "gRPC"])
def test_an_answer_has_a_probability_and_a_map(server: Running, triton: ModuleType) -> None:
    url = server.grpc_url if triton is tritonclient.grpc else server.rest_url.removeprefix("http://")
    tensor = triton.InferInput("image", [2], "BYTES")
    tensor.set_data_from_numpy(np.array([PICTURE, PICTURE], dtype=object))
    with triton.InferenceServerClient(url) as client:
        answer = client.infer("scans", [tensor])
        assert answer.as_numpy("finding").tolist() == [FINDING.encode()] * 2
        assert answer.as_numpy("says").tolist() == [b"abstains"] * 2
        assert (answer.as_numpy("probability") > 0).all()
        assert answer.as_numpy("saliency").shape == (2, 144)
        tensor.set_data_from_numpy(np.array([PICTURE, PICTURE[:-30]], dtype=object))
        with pytest.raises(triton.InferenceServerException, match="request 1: image cut short"):
            client.infer("scans", [tensor])


def test_json_has_pictures_in_base64(server: Running) -> None:
    asked = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(PICTURE).decode()]}
    answer = server.post("/v2/models/scans/infer", {"inputs": [asked]})
    assert answer.status_code == httpx.codes.OK, answer.text
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["finding"] == [FINDING]
    assert max(outputs["saliency"]) == pytest.approx(1)
