"""Clients that are answered in pieces: an event stream read by httpx, and tritonclient's stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from tests.models.serving.running import Running
from tests.patience import LONG_SECONDS


@contextmanager
def events(server: Running, name: str, request: Mapping[str, object]) -> Iterator[Iterator[dict[str, Any]]]:
    """Ask for pieces over REST; leaving the context is going away."""
    url = f"{server.rest_url}/v2/models/{name}/generate_stream"
    with httpx.stream("POST", url, json=request, timeout=LONG_SECONDS) as answer:
        assert answer.status_code == httpx.codes.OK, answer.read()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line)


@dataclass
class Conversation:
    """A stream of tritonclient."""

    client: tritonclient.grpc.InferenceServerClient
    name: str
    told: Queue[tuple[Any, InferenceServerException | None]] = field(default_factory=Queue)

    def ask(self, request: Mapping[str, tuple[str, object]], **options: Any) -> None:
        tensors = []
        for column, (datatype, value) in request.items():
            values: Any = np.array([value], dtype=triton_to_np_dtype(datatype))
            tensors.append(tritonclient.grpc.InferInput(column, [1], datatype))
            tensors[-1].set_data_from_numpy(values)
        self.client.async_stream_infer(options.pop("model_name", self.name), tensors, **options)

    def next(self) -> Any:
        """Wait for the next response; an error is raised."""
        result, error = self.told.get(timeout=LONG_SECONDS)
        if error is not None:
            raise error
        return result

    def pieces(self) -> Iterator[Any]:
        """Yield responses up to the one that is marked as the last."""
        is_last = False
        while not is_last:
            result = self.next()
            yield result
            is_last = result.get_response().parameters["triton_final_response"].bool_param


@contextmanager
def conversation(server: Running, name: str) -> Iterator[Conversation]:
    """Begin a stream over gRPC."""
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        begun = Conversation(client, name)
        client.start_stream(lambda result, error: begun.told.put((result, error)))
        try:
            yield begun
        finally:
            client.stop_stream(cancel_requests=True)
