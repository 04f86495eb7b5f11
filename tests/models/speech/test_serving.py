"""The server says what is said in a recording, and when: over REST and gRPC."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from types import ModuleType

import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests.data_contracts.speech.made_up import spoken
from tests.models.jobs import WINDOWS
from tests.models.serving.published import publish_as
from tests.models.serving.running import Running, running_server
from tests.models.speech.tables import CONFIG, FEATURES, said, write_tables, write_weights

SOUND = spoken("ab cd")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    weights = write_weights(folder / "weights")
    tables = write_tables(folder / "tables", said(dict.fromkeys(WINDOWS, 5)))
    publish_as("calls", folder, "speech", weights, tables, config=CONFIG, features=FEATURES)
    with running_server(f"sqlite:///{folder}/mlflow.db", folder, name="calls") as running:
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize("triton", [tritonclient.http, tritonclient.grpc], ids=["REST", "gRPC"])
def test_an_answer_has_a_text_and_the_times_of_its_words(server: Running, triton: ModuleType) -> None:
    url = server.grpc_url if triton is tritonclient.grpc else server.rest_url.removeprefix("http://")
    tensor = triton.InferInput("sound", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([SOUND], dtype=object))
    with triton.InferenceServerClient(url) as client:
        answer = client.infer("calls", [tensor])
        (text,), words = answer.as_numpy("text").tolist(), answer.as_numpy("words").ravel().tolist()
        assert text.split() == [word for word in words if word]
        assert answer.as_numpy("begins").size == answer.as_numpy("ends").size == len(words)
        tensor.set_data_from_numpy(np.array([SOUND[:-30]], dtype=object))
        with pytest.raises(triton.InferenceServerException, match="request 0: sound cut short"):
            client.infer("calls", [tensor])


def test_json_has_sounds_in_base64(server: Running) -> None:
    asked = {"name": "sound", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(SOUND).decode()]}
    answer = server.post("/v2/models/calls/infer", {"inputs": [asked]})
    assert answer.status_code == httpx.codes.OK, answer.text
    assert {output["name"] for output in answer.json()["outputs"]} == {"text", "words", "begins", "ends"}
