"""The server says how texts go on and how likely they are: the same over REST and over gRPC."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import httpx
import mlflow
import pandas as pd
import pytest
from tritonclient.utils import InferenceServerException

from data_contracts.job import PublishResult
from data_contracts.language.requests import MAX_CHARACTERS, MAX_NEW
from tasks.deploy.client import Answer, ask_over_grpc, ask_over_rest
from tasks.deploy.config import ServingConfig
from tests.data_contracts.language.made_up import stories, story
from tests.models.jobs import WINDOWS
from tests.models.language.tables import CONFIG, FEATURES, write_tables, write_weights
from tests.models.serving.published import publish_as
from tests.models.serving.running import Running, running_server
from tests.patience import LONG_SECONDS

CONTEXT = 16
INFER = "/v2/models/tales/infer"

Ask = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PublishResult]:
    folder = tmp_path_factory.mktemp("tales")
    weights = write_weights(folder / "weights")
    tables = write_tables(folder / "tables", {window: stories(3, seed) for seed, window in enumerate(WINDOWS)})
    result = publish_as("tales", folder, "language", weights, tables, config=CONFIG, features=FEATURES)
    return folder, result


@pytest.fixture(scope="module")
def server(published: tuple[Path, PublishResult]) -> Iterator[Running]:
    folder, _ = published
    with running_server(f"sqlite:///{folder}/mlflow.db", folder, name="tales") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(params=[ask_over_rest, ask_over_grpc], ids=["REST", "gRPC"])
def ask(server: Running, request: pytest.FixtureRequest) -> Ask:
    return _asking(server, request.param)


def _asking(server: Running, over: Callable[..., Answer]) -> Ask:
    serving = ServingConfig(rest_url=server.rest_url, grpc_url=server.grpc_url)

    def ask(prompt: object, **more: object) -> dict[str, object]:
        return over(serving, "tales", {"prompt": prompt, **more}).values

    return ask


def test_the_same_seed_goes_on_the_same_over_both(server: Running) -> None:
    rest, grpc = (_asking(server, over) for over in (ask_over_rest, ask_over_grpc))
    asked = {"max_new": 30, "temperature": 1.0}
    first = rest(story(0), seed=1, **asked)
    assert first == rest(story(0), seed=1, **asked) == grpc(story(0), seed=1, **asked)
    assert first["continuation"] != grpc(story(0), seed=2, **asked)["continuation"]


def test_a_text_is_scored_without_going_on(ask: Ask) -> None:
    answer = ask(story(0), max_new=0)
    assert answer["continuation"] == ""
    assert 0 < float(str(answer["nats_a_character"])) < 20


def test_an_empty_prompt_begins_a_text(ask: Ask) -> None:
    answer = ask("", max_new=5, seed=3)
    assert (answer["nats_a_character"], answer["context"]) == (0, 0)
    assert len(str(answer["continuation"])) <= 5


def test_of_a_long_prompt_the_last_symbols_are_looked_back_at_and_all_are_scored(ask: Ask) -> None:
    whole = story(0)
    end, asked = whole[-CONTEXT:], {"max_new": 20, "temperature": 1.0, "seed": 4}
    long, short, shorter = (ask(text, **asked) for text in (whole, end, end[1:]))
    assert long["continuation"] == short["continuation"]
    assert long["nats_a_character"] != short["nats_a_character"]
    assert [each["context"] for each in (long, short, shorter)] == [CONTEXT, CONTEXT, CONTEXT - 1]


@pytest.mark.parametrize("text", ["Жили-были", "昔々", "كان يا ما كان", "🌙🏳️\u200d🌈", "e\u0301", "a\x00b\r\n\t", " "])
def test_whatever_the_script_a_text_is_answered(ask: Ask, text: str) -> None:
    answer = ask(text, max_new=3)
    assert answer["context"] == min(len(text), CONTEXT)
    assert float(str(answer["nats_a_character"])) > 0


@pytest.mark.parametrize(
    ("prompt", "more", "problem"),
    [
        pytest.param(b"caf\xe9", {}, "is not UTF-8", id="not UTF-8"),
        pytest.param("x" * (MAX_CHARACTERS + 1), {}, "prompt has 100,001 characters", id="too long"),
        pytest.param("x", {"temperature": -0.5}, "temperature is -0.5, wanted 0 or more", id="temperature below 0"),
        pytest.param("x", {"temperature": float("inf")}, "temperature is inf", id="infinite temperature"),
        pytest.param("x", {"max_new": MAX_NEW + 1}, "max_new is 1,001, wanted 0 to 1,000", id="too many new"),
        pytest.param("x", {"max_new": -1}, "max_new is -1", id="less than none new"),
        pytest.param("x", {"seed": -1}, "seed is -1, wanted 0 or more", id="seed below 0"),
        pytest.param(None, {"seed": 1}, "prompt is missing", id="no prompt"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(ask: Ask, prompt: object, more: dict[str, object], problem: str) -> None:
    with pytest.raises(InferenceServerException, match=problem):
        ask(prompt, **more)


@pytest.mark.parametrize("data", [b'"caf\xe9"', rb'"\ud83c"', b"7", b"null"])
def test_json_that_is_no_text_is_a_bad_request(server: Running, data: bytes) -> None:
    body = b'{"inputs": [{"name": "prompt", "shape": [1], "datatype": "BYTES", "data": [%b]}]}' % data
    answer = httpx.post(server.rest_url + INFER, content=body, timeout=LONG_SECONDS)
    assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text


def test_the_page_shows_a_request_that_is_answered(server: Running) -> None:
    curl = shlex.split(unescape(server.get("/").text.partition("<pre>")[2].partition("</pre>")[0]))
    assert curl[:2] == ["curl", server.rest_url + INFER]
    asked = {tensor["name"]: tensor["data"][0] for tensor in json.loads(curl[-1])["inputs"]}
    assert asked.keys() == {"prompt", "max_new", "temperature", "seed"}
    assert asked["max_new"] > 0, "it shows how to have a text go on"
    answer = httpx.post(curl[1], content=curl[-1], timeout=LONG_SECONDS)
    assert answer.status_code == httpx.codes.OK, answer.text
    said = {output["name"]: output["data"][0] for output in answer.json()["outputs"]}
    wanted = _asking(server, ask_over_grpc)(**asked)
    assert said == wanted | {"nats_a_character": pytest.approx(wanted["nats_a_character"])}


def test_a_night_asks_the_example(ask: Ask, published: tuple[Path, PublishResult]) -> None:
    answer = ask(**published[1].example)
    assert len(str(answer["continuation"])) <= int(str(published[1].example["max_new"]))
    assert answer["context"] == CONTEXT


def test_the_example_is_how_the_newest_document_begins(published: tuple[Path, PublishResult]) -> None:
    prompt = str(published[1].example["prompt"])
    assert stories(3, seed=1)[0].decode().startswith(prompt)
    assert len(prompt) > CONTEXT


def test_mlflow_answers_a_frame_of_prompts(server: Running, published: tuple[Path, PublishResult]) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{published[0]}/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/tales@champion")
    (found,) = model.predict(pd.DataFrame({"prompt": ["ba do"]})).to_dict("records")
    assert found["continuation"] == _asking(server, ask_over_rest)("ba do")["continuation"]
