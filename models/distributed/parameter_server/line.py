"""A trainer's stream to one shard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock, Thread

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
    """A stream to one shard, which answers one question after another; a thread waits for the answers.

    Args:
        endpoint: Host and port of the shard.
        told: What the trainer says.
        token: Of the training.

    Raises:
        ParameterServerError: Nobody listens there, or the token is another one.
    """

    def __init__(self, endpoint: str, told: StreamTold, token: str = "") -> None:
        self.endpoint, self._told = endpoint, told
        self._client = flight.FlightClient(f"grpc://{endpoint}")
        options = flight.FlightCallOptions(headers=[(HEADER.encode(), f"Bearer {token}".encode())])
        descriptor = flight.FlightDescriptor.for_command(told.model_dump_json())
        with self._named():
            self._writer, self._reader = self._client.do_exchange(descriptor, options)
            self._writer.begin(schema(told.travels))
        self._asked: SimpleQueue[Future[Message] | None] = SimpleQueue()
        self._sending = Lock()
        self._listener = Thread(target=self._listen, name=f"shard {endpoint}", daemon=True)
        self._listener.start()

    def ask(self, words: Words, parts: Parts | None = None) -> Future[Message]:
        """Send a question; while the shard has more of them than the wire holds, this waits."""
        future: Future[Message] = Future()
        with self._sending:
            self._asked.put(future)
            try:
                with self._named():
                    self._writer.write_with_metadata(*written(Message(words, parts or {}), self._told.travels))
            except ParameterServerError as error:
                logger.info("%s", error)  # whoever waits for the answer hears of it
        return future

    def cut(self) -> None:
        """End the stream at once: who waits for an answer, or will, hears that it was cancelled."""
        self._reader.cancel()

    def close(self) -> None:
        """End the stream once what was asked is answered; at once, if that takes long."""
        self._asked.put(None)
        self._listener.join(BEYOND_SECONDS)
        self.cut()
        self._listener.join()
        self._client.close()

    def _listen(self) -> None:
        while (future := self._asked.get()) is not None:
            try:
                future.set_result(self._answer())
            except ParameterServerError as error:
                future.set_exception(error)
        try:
            with self._named():
                self._writer.close()
        except ParameterServerError as error:
            logger.info("%s", error)

    def _answer(self) -> Message:
        with self._named():
            chunk = self._reader.read_chunk()
        numbers = getattr(torch, self._told.numbers)
        answer = as_read(chunk.data, chunk.app_metadata, self._told.travels, numbers)
        if "error" in answer.words:
            raise getattr(errors, str(answer.words["error"]))(answer.words["said"])
        return answer

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of a shard that cannot be reached which one it is."""
        try:
            yield
        except (flight.FlightError, pa.ArrowException, StopIteration, OSError) as error:
            raise ParameterServerError(f"shard at {self.endpoint}: {type(error).__name__}: {error}") from error
