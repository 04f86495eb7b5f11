"""A trainer's stream to one shard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import contextmanager

import pyarrow as pa
import torch
from pyarrow import flight

from models.distributed.parameter_server import errors
from models.distributed.parameter_server.errors import ParameterServerError
from models.distributed.parameter_server.service import HEADER, StreamTold
from models.distributed.parameter_server.wire import Message, Parts, Words, as_read, schema, written

BEYOND_SECONDS = 5.0
"""How much longer than a shard may take an answer may be on its way."""

logger = logging.getLogger(__name__)


class Line:
    """A stream to one shard; a thread of its own asks, one question after another.

    Args:
        endpoint: Host and port of the shard.
        told: What the trainer says.
        token: Of the training.

    Raises:
        ParameterServerError: Nobody listens there, or the token is another one.
    """

    def __init__(self, endpoint: str, told: StreamTold, token: str = "") -> None:
        self.endpoint, self._told = endpoint, told
        self._numbers = getattr(torch, told.numbers)
        self._client = flight.FlightClient(f"grpc://{endpoint}")
        options = flight.FlightCallOptions(headers=[(HEADER.encode(), f"Bearer {token}".encode())])
        descriptor = flight.FlightDescriptor.for_command(told.model_dump_json())
        with self._named():
            self._writer, self._reader = self._client.do_exchange(descriptor, options)
        self._thread = ThreadPoolExecutor(1, f"shard {endpoint}")
        self._thread.submit(self._writer.begin, schema(told.travels))

    def ask(self, words: Words, parts: Parts | None = None) -> Future[Message]:
        """Ask once all was answered that was asked before."""
        return self._thread.submit(self._asked, Message(words, parts or {}))

    def close(self) -> None:
        """End the stream once what was asked is answered; at once, if that takes long."""
        try:
            self._thread.submit(self._end).result(BEYOND_SECONDS)
        except NoAnswerError:
            self._reader.cancel()
        self._thread.shutdown(cancel_futures=True)
        self._client.close()

    def _end(self) -> None:
        try:
            self._writer.close()
        except (flight.FlightError, OSError) as error:
            logger.info("shard at %s was gone before its stream was closed: %s", self.endpoint, error)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of a shard that cannot be reached which one it is."""
        try:
            yield
        except (flight.FlightError, pa.ArrowException, StopIteration, OSError) as error:
            raise ParameterServerError(f"shard at {self.endpoint}: {type(error).__name__}: {error}") from error

    def _asked(self, message: Message) -> Message:
        with self._named():
            self._writer.write_with_metadata(*written(message, self._told.travels))
            chunk = self._reader.read_chunk()
        answer = as_read(chunk.data, chunk.app_metadata, self._told.travels, self._numbers)
        if "error" in answer.words:
            raise getattr(errors, str(answer.words["error"]))(answer.words["said"])
        return answer
