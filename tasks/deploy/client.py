"""Ask the model server as any client does: tritonclient, over REST and over gRPC.

tritonclient has two modules of one shape; what is asked and how the answer is read is the same here, and what tensors
a model takes and gives it says itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from data_contracts.binary import with_bytes
from tasks.deploy.config import ServingConfig


class Answer(NamedTuple):
    """One answer.

    Attributes:
        version: That answered.
        values: Column to value; a list where the answer has several.
    """

    version: str
    values: dict[str, Any]


def ask_over_rest(serving: ServingConfig, name: str, request: Mapping[str, Any]) -> Answer:
    """Ask over REST.

    Args:
        serving: Where the server is.
        name: Of the registered model.
        request: Column to value as JSON has it, one row; what is left out is null.

    Raises:
        tritonclient.utils.InferenceServerException: The server refuses.
        OSError: Nobody listens.
    """
    import tritonclient.http

    return _ask(tritonclient.http, serving.rest_url.removeprefix("http://"), name, request)


def ask_over_grpc(serving: ServingConfig, name: str, request: Mapping[str, Any]) -> Answer:
    """Ask over gRPC; otherwise as `ask_over_rest`.

    Raises:
        tritonclient.utils.InferenceServerException: The server refuses, or nobody listens.
    """
    import tritonclient.grpc

    return _ask(tritonclient.grpc, serving.grpc_url, name, request)


def _ask(triton: ModuleType, url: str, name: str, request: Mapping[str, Any]) -> Answer:
    from tritonclient.utils import InferenceServerException

    with triton.InferenceServerClient(url) as client:
        found = client.get_model_metadata(name)
        known = found if isinstance(found, dict) else client.get_model_metadata(name, as_json=True)
        datatypes = {tensor["name"]: tensor["datatype"] for tensor in known.get("inputs", ())}
        given = {column: value for column, value in with_bytes(request).items() if value is not None}
        if unknown := sorted(given.keys() - datatypes.keys()):
            asked = ", ".join(datatypes) or "nothing, as no version is in service"
            raise InferenceServerException(f"{name!r} is not asked for {', '.join(unknown)}; it takes {asked}.")
        inputs = [_input(triton, column, datatypes[column], value) for column, value in given.items()]
        answer = client.infer(name, inputs)
    response = answer.get_response()
    version = response["model_version"] if isinstance(response, dict) else response.model_version
    columns = [tensor["name"] for tensor in known["outputs"]]
    return Answer(str(version), {column: _plain(answer.as_numpy(column)[0]) for column in columns})


def _input(triton: ModuleType, column: str, datatype: str, value: object) -> object:
    from tritonclient.utils import triton_to_np_dtype

    values = np.array([value], dtype=triton_to_np_dtype(datatype))
    tensor = triton.InferInput(column, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return tensor


def _plain(value: Any) -> Any:  # noqa: ANN401, whatever the model answers
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
