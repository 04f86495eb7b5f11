from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.recommender.requests import ANSWERS, REQUESTS
from models.serving.tensors import TensorError, asking, metadata, to_outputs, to_rows

NUMPY = {"BYTES": np.object_, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32, "FP64": np.float64}


@dataclass(frozen=True)
class Sent:
    """A tensor as JSON brings it; as bytes bring it, test_server sees. (KServe's SDK and tritonclient's gRPC cannot be
    imported into one process: both register the same protobuf names.)"""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]

    def as_numpy(self) -> Any:
        return np.array(self.data, dtype=NUMPY[self.datatype]).reshape(self.shape)


def rows(*inputs: Sent) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = to_rows(inputs, REQUESTS.schema, max_batch=4).to_pylist()
    return table


def text(name: str, shape: list[int], *values: object) -> Sent:
    return Sent(name, shape, "BYTES", list(values))


def number(*values: object, datatype: str = "INT32") -> Sent:
    return Sent("k", [len(values)], datatype, list(values))


@pytest.mark.parametrize("datatype", ["INT32", "INT64"])
def test_users_become_rows_and_one_k_counts_for_all(datatype: str) -> None:
    assert rows(text("user_id", [2], "ada", b"bob"), number(3, datatype=datatype)) == [
        {"user_id": "ada", "history": None, "k": 3, "times": None},
        {"user_id": "bob", "history": None, "k": 3, "times": None},
    ]


@pytest.mark.parametrize(
    ("history", "wanted"),
    [
        pytest.param(text("history", [2], "a", "b"), [["a", "b"]], id="one request"),
        pytest.param(text("history", [0]), [[]], id="one request, empty"),
        pytest.param(text("history", [2, 2], "a", "b", "c", ""), [["a", "b"], ["c"]], id="two, padded"),
        pytest.param(text("history", [2, 0]), [[], []], id="two, both empty"),
        pytest.param(text("history", [2, 1], ["a"], ["b"]), [["a"], ["b"]], id="two, nested JSON"),
    ],
)
def test_histories_become_lists_without_their_padding(history: Sent, wanted: list[list[str]]) -> None:
    assert [row["history"] for row in rows(history)] == wanted


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        pytest.param([], "0 requests in one call, wanted 1 to 4", id="nothing"),
        pytest.param([text("user_id", [5], *"abcde")], "5 requests in one call", id="too many"),
        pytest.param([text("history", [10**15, 0])], "1,000,000,000,000,000 requests in one call", id="a bomb"),
        pytest.param(
            [text("user", [1], "a")], "input 'user': unknown, wanted some of user_id, history, k, times", id="name"
        ),
        pytest.param([number(1), number(1)], "input 'k': given twice", id="twice"),
        pytest.param([number(1.5)], "input 'k': 1.5 in its data, wanted INT32", id="a fraction"),
        pytest.param([number(*[True])], "input 'k': True in its data, wanted INT32", id="a truth"),
        pytest.param([number(2**40, datatype="INT64")], "input 'k': a number beyond 32 bits", id="too large"),
        pytest.param([number(2**40)], "input 'k': its data does not make a tensor", id="larger than its type"),
        pytest.param([number(1.0, datatype="FP32")], "input 'k': datatype FP32, wanted INT32", id="datatype"),
        pytest.param([text("user_id", [3], "a")], "input 'user_id': its data does not make a tensor", id="length"),
        pytest.param([text("user_id", [1, 1], "a")], "input 'user_id': shape [1, 1], wanted [n]", id="shape"),
        pytest.param([text("history", [1, 1, 1], "a")], "shape [1, 1, 1], wanted [m] or [n, m]", id="deep"),
        pytest.param([text("user_id", [1], 5)], "input 'user_id': 5 in its data, wanted BYTES", id="a number"),
        pytest.param([text("user_id", [1], b"\xff")], "is not UTF-8", id="no text"),
        pytest.param(
            [text("user_id", [3], *"abc"), number(1, 2)], "input 'k': 2 rows, wanted 3 as in the longest", id="rows"
        ),
    ],
)
def test_what_is_wrong_with_a_tensor_is_said(inputs: list[Sent], reason: str) -> None:
    with pytest.raises(TensorError) as error:
        rows(*inputs)
    assert reason in str(error.value)


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(TensorError, match=r"'user': unknown.*; input 'k': 1.5 in"):
        rows(text("user", [1], "a"), number(1.5))


def test_answers_become_tensors_padded_to_the_longest() -> None:
    answers = pa.Table.from_pylist(
        [
            {"item_id": ["a", "b"], "score": [2.0, 1.0], "source": "history"},
            {"item_id": ["c"], "score": [-3.0], "source": "popular: unknown user"},
        ],
        schema=ANSWERS.schema,
    )
    item_id, score, source = to_outputs(answers)
    assert item_id.values.tolist() == [["a", "b"], ["c", ""]]
    assert score.values.tolist() == [[2.0, 1.0], [-3.0, 0.0]]
    assert source.values.tolist() == ["history", "popular: unknown user"]
    assert [output.datatype for output in (item_id, score, source)] == ["BYTES", "FP32", "BYTES"]


def test_an_answer_without_items_is_an_empty_tensor() -> None:
    answers = pa.Table.from_pylist([{"item_id": [], "score": [], "source": "history"}], schema=ANSWERS.schema)
    assert [output.values.shape for output in to_outputs(answers)] == [(1, 0), (1, 0), (1,)]


def test_tensors_are_described_as_the_protocol_does() -> None:
    assert metadata(REQUESTS.schema) == [
        {"name": "user_id", "datatype": "BYTES", "shape": [-1]},
        {"name": "history", "datatype": "BYTES", "shape": [-1, -1]},
        {"name": "k", "datatype": "INT32", "shape": [-1]},
        {"name": "times", "datatype": "BYTES", "shape": [-1, -1]},
    ]


NUMBERS = pa.schema([pa.field("x", pa.float32()), pa.field("many", pa.list_(pa.float32()))])


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_numbers_become_rows_of_single_precision(datatype: str) -> None:
    sent = [Sent("x", [2], datatype, [1, 2.5]), Sent("many", [2, 2], datatype, [1, 2, 3, 0.1])]
    found = to_rows(sent, NUMBERS, max_batch=4).to_pylist()
    assert found == [{"x": 1.0, "many": [1.0, 2.0]}, {"x": 2.5, "many": [3.0, float(np.float32(0.1))]}]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(Sent("x", [1], "FP64", [1e39]), "input 'x': a number beyond 32 bits", id="too large"),
        pytest.param(Sent("many", [1, 2], "FP64", [1, -1e39]), "input 'many': a number beyond 32 bits", id="in a list"),
        pytest.param(Sent("x", [1], "FP32", ["1"]), "input 'x': '1' in its data, wanted FP32", id="text"),
        pytest.param(Sent("x", [1], "FP32", [True]), "input 'x': True in its data, wanted FP32", id="a truth"),
        pytest.param(Sent("x", [1], "INT32", [1]), "input 'x': datatype INT32, wanted FP32", id="whole numbers"),
    ],
)
def test_numbers_that_cannot_be_are_refused(sent: Sent, reason: str) -> None:
    with pytest.raises(TensorError, match=re.escape(reason)):
        to_rows([sent], NUMBERS, max_batch=4)


def test_answers_of_every_kind_have_their_datatype() -> None:
    answers = pa.table(
        {
            "count": pa.array([3, 4], pa.int32()),
            "share": pa.array([0.5, 1.5], pa.float32()),
            "places": pa.array([[1], [2, 3]], pa.list_(pa.int32())),
        }
    )
    found = {
        output.name: (output.datatype, output.values.dtype, output.values.tolist()) for output in to_outputs(answers)
    }
    assert found == {
        "count": ("INT32", np.int32, [3, 4]),
        "share": ("FP32", np.float32, [0.5, 1.5]),
        "places": ("INT32", np.int32, [[1, 0], [2, 3]]),
    }


def test_a_request_is_asked_as_it_is_understood() -> None:
    for request in ({"user_id": "ada", "k": 3}, {"history": ["a", "b"]}):
        body = asking(request, REQUESTS.schema)
        (row,) = to_rows([Sent(**tensor) for tensor in body["inputs"]], REQUESTS.schema, max_batch=4).to_pylist()
        assert row == {"user_id": None, "history": None, "k": None, "times": None} | request
