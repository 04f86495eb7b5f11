"""Answers in pieces, whatever they are sent by.

A piece is computed when it is asked for. So streams and other requests take turns at the threads, piece by piece; who
reads slowly keeps no thread, and for who is gone nothing more is computed.
"""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Self

import pyarrow as pa
from kserve.errors import InvalidInput

from models.serving.inference import ServedModel
from models.serving.metrics import PIECES, STREAMS, STREAMS_OPEN
from models.serving.tensors import Input, to_rows
from models.use_case import StreamingPredictor


class NotStreamedError(InvalidInput):  # type: ignore[misc]
    """The version served answers in one piece."""


class Begun(NamedTuple):
    """A request that was to the schema: its first piece, None when there is none at all, and those that follow."""

    first: pa.Table | None
    others: Generator[pa.Table, None, None]


class Stream:
    """One answer: iterates over its pieces, on the version that it began with. For the event loop's thread alone.

    Args:
        threads: Where pieces are computed.
        begun: The first piece, there already.
        labels: Model and version, for metrics.
    """

    def __init__(self, threads: ThreadPoolExecutor, begun: Future[Begun], labels: tuple[str, str]) -> None:
        self.version = labels[1]
        self._threads = threads
        self._first, self._others = begun.result()
        self._latest: Future[Begun] | Future[pa.Table | None] = begun
        self._labels = labels
        self._is_over = False
        STREAMS_OPEN.labels(*labels).inc()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pa.Table:
        piece, self._first = self._first, None
        if piece is None:
            piece = await self._computed()
        if piece is None:
            self._end("whole")
            raise StopAsyncIteration
        PIECES.labels(*self._labels).inc()
        return piece

    def close(self) -> None:
        """End it, wherever it is: a piece that is being computed is the last one. Twice is as good as once."""
        if not self._is_over:
            self._end("left")
            self._latest.add_done_callback(lambda _: self._threads.submit(self._others.close))

    async def _computed(self) -> pa.Table | None:
        self._latest = computing = self._threads.submit(next, self._others, None)
        try:
            return await wrap_future(computing)
        except Exception:
            self._end("failed")
            raise

    def _end(self, how: str) -> None:
        if not self._is_over:
            self._is_over = True
            STREAMS_OPEN.labels(*self._labels).dec()
            STREAMS.labels(*self._labels, how).inc()


async def begin(model: ServedModel, version: str | None, inputs: Callable[[pa.Schema], Sequence[Input]]) -> Stream:
    """Begin to answer one request: with its first piece, before which all that is wrong with it is said.

    Args:
        model: That is asked.
        version: That is asked for; whichever is served when None or empty.
        inputs: Returns the request's tensors, for the schema that the version wants.

    Raises:
        ModelNotReady: No version is served.
        NotStreamedError: The version served answers in one piece.
        InvalidInput: The request is not to the schema, or more than one, or for a version that is not served.
    """
    served = model.asked(version)
    if not isinstance(served.predictor, StreamingPredictor):
        raise NotStreamedError(
            f"{model.name} version {served.version} answers in one piece: POST /v2/models/{model.name}/infer, "
            "over gRPC ModelInfer."
        )
    begun = model.threads.submit(_begun, served.predictor, inputs)
    try:
        await wrap_future(begun)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return Stream(model.threads, begun, (model.name, served.version))


def _begun(predictor: StreamingPredictor, inputs: Callable[[pa.Schema], Sequence[Input]]) -> Begun:
    schema = predictor.request_schema
    pieces = predictor.stream(to_rows(inputs(schema), schema, max_batch=1))
    return Begun(next(pieces, None), pieces)
