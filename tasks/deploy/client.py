"""Ask the model server for a recommendation as any client does: tritonclient, over REST and over gRPC.

tritonclient has two modules of one shape; what is asked and how the answer is read is the same here.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np

from tasks.deploy.config import ServingConfig


class Recommendation(NamedTuple):
    """One answer.

    Attributes:
        item_ids: Best first.
        scores: Beside them.
        source: What the answer rests on.
        version: That answered.
    """

    item_ids: tuple[str, ...]
    scores: tuple[float, ...]
    source: str
    version: str


def recommend_over_rest(serving: ServingConfig, name: str, user_id: str, k: int) -> Recommendation:
    """Ask over REST.

    Args:
        serving: Where the server is.
        name: Of the registered model.
        user_id: Of the logs; an unknown one gets popular items.
        k: Items wanted.

    Raises:
        tritonclient.utils.InferenceServerException: The server refuses.
        OSError: Nobody listens.
    """
    import tritonclient.http

    return _recommend(tritonclient.http, serving.rest_url.removeprefix("http://"), name, user_id, k)


def recommend_over_grpc(serving: ServingConfig, name: str, user_id: str, k: int) -> Recommendation:
    """Ask over gRPC; otherwise as `recommend_over_rest`.

    Raises:
        tritonclient.utils.InferenceServerException: The server refuses, or nobody listens.
    """
    import tritonclient.grpc

    return _recommend(tritonclient.grpc, serving.grpc_url, name, user_id, k)


def _recommend(triton: ModuleType, url: str, name: str, user_id: str, k: int) -> Recommendation:
    user = triton.InferInput("user_id", [1], "BYTES")
    user.set_data_from_numpy(np.array([user_id], dtype=np.object_))
    wanted = triton.InferInput("k", [1], "INT32")
    wanted.set_data_from_numpy(np.array([k], dtype=np.int32))
    with triton.InferenceServerClient(url) as client:
        answer = client.infer(name, [user, wanted])
    response = answer.get_response()
    version = response["model_version"] if isinstance(response, dict) else response.model_version
    return Recommendation(
        item_ids=tuple(item_id.decode() for item_id in answer.as_numpy("item_id")[0]),
        scores=tuple(answer.as_numpy("score")[0].tolist()),
        source=answer.as_numpy("source")[0].decode(),
        version=str(version),
    )
