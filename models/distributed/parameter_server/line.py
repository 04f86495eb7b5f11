"""A stream to one shard: questions are asked in order, and answers are read by whoever waits for them.

Nobody reads while nobody waits, so no other thread has to be woken for an answer. Two ends that both write, and do not
read, would wait for each other for ever: while an answer is on its way, another thread writes, and who asks may read.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Lock, Thread

import psutil
import pyarrow as pa
from pyarrow import flight

from models.distributed.parameter_server import errors
from models.distributed.parameter_server.errors import GoneError, LateError, ParameterServerError, RefusedError
from models.distributed.parameter_server.wire import (
    HEADER,
    PING,
    Message,
    Parts,
    StreamTold,
    Words,
    Written,
    as_read,
    schema,
    written,
)

BEYOND_SECONDS = 5.0
"""How much longer than a shard may take an answer may be on its way."""
LOOK_SECONDS = 0.5
"""How often somebody looks whether a shard that takes its time is there."""
SILENT_SECONDS = 3.0
"""How long it may take to say so: one that stands still, or was cut off, is left after 4 s in all."""

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Question:
    """What is asked, and what comes of it.

    Attributes:
        words: All but the placement of shards that the asker knows.
        parts: Tensors.
        epoch: Of the placement, when it was sent last.
        answer: Once it came,
        error: or what the shard said instead.
    """

    words: Words
    parts: Parts
    epoch: int = -1
    answer: Message | None = None
    error: ParameterServerError | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the shard has said something."""
        return self.answer is not None or self.error is not None

    def renew(self) -> None:
        """Ask as if it had not been asked before."""
        self.answer = self.error = None


class Line:
    """A stream to one shard. Several threads may ask, and wait.

    Args:
        endpoint: Host and port of the shard.
        told: What the asker says.
        seconds: How long the shard may take for an answer.
        token: Of the training.

    Raises:
        GoneError: Nobody listens there.
        RefusedError: The token is another one.
    """

    def __init__(self, endpoint: str, told: StreamTold, *, seconds: float = 60.0, token: str = "") -> None:
        self.endpoint, self._told, self._most = endpoint, told, seconds + BEYOND_SECONDS
        self.unanswered: deque[Question] = deque()
        self._asking, self._writing, self._reading, self._closed = Lock(), Lock(), Lock(), Event()
        self._waits_since: float | None = None
        self._writes_since: float | None = None
        self._is_late = False
        self._client = flight.FlightClient(f"grpc://{endpoint}")
        self._header = (HEADER.encode(), f"Bearer {token}".encode())
        descriptor = flight.FlightDescriptor.for_command(told.model_dump_json())
        with self._named():
            self._ping()  # a stream to nobody would be there at first
            options = flight.FlightCallOptions(headers=[self._header])
            self._writer, self._reader = self._client.do_exchange(descriptor, options)
            self._writer.begin(schema(told.numbers))
        self._to_send: SimpleQueue[Written | None] = SimpleQueue()
        self._sender = Thread(target=self._send, name=f"send {endpoint}", daemon=True)
        self._sender.start()
        Thread(target=self._watch, name=f"watch {endpoint}", daemon=True).start()

    def ask(self, question: Question, epoch: int) -> None:
        """Have a question sent; its tensors stay as they are until it is answered.

        That the shard is gone is said to who waits for the answer.
        """
        message = Message({**question.words, "epoch": epoch}, question.parts)
        batch = written(message, self._told.numbers, is_rounded=self._told.is_rounded(question.words["do"]))
        with self._asking:
            question.epoch, is_alone = epoch, not self.unanswered
            self.unanswered.append(question)
            if is_alone:  # no answer is on its way
                self._write(batch)
            else:
                self._to_send.put(batch)

    def _send(self) -> None:
        while (batch := self._to_send.get()) is not None:
            self._write(batch)

    def _write(self, batch: Written) -> None:
        with self._writing:
            self._writes_since = time.monotonic()
            try:
                self._writer.write_with_metadata(*batch)
            except (flight.FlightError, pa.ArrowException, OSError) as error:
                logger.info("shard at %s: %s", self.endpoint, _shortly(error))
                self.cut()
            finally:
                self._writes_since = None

    def wait(self, question: Question) -> None:
        """Read answers until one came to this question.

        Raises:
            GoneError: The shard is gone.
            LateError: It takes too long.
        """
        while not question.is_answered:
            with self._reading, self._named():
                if not question.is_answered:
                    self._read()

    def _read(self) -> None:
        self._waits_since = time.monotonic()
        chunk = self._reader.read_chunk()
        self._waits_since = None
        answer = as_read(chunk.data, chunk.app_metadata, self._told.numbers)
        question = self.unanswered.popleft()
        if "error" in answer.words:
            question.error = getattr(errors, str(answer.words["error"]))(answer.words["said"])
        else:
            question.answer = answer

    def cut(self) -> None:
        """End the stream at once: who waits for an answer, or will, hears that the shard is gone."""
        self._reader.cancel()

    def close(self) -> None:
        """End the stream; at once, if something is not answered, or the shard is silent."""
        self._waits_since = time.monotonic()
        if self.unanswered:
            self.cut()
        self._to_send.put(None)
        self._sender.join(SILENT_SECONDS)
        if self._sender.is_alive():  # it writes to who does not read
            self._disconnect()
        try:
            self._writer.close()
        except (flight.FlightError, pa.ArrowException) as error:
            logger.info("shard at %s: %s", self.endpoint, error)
        self._closed.set()
        self._client.close()

    def _watch(self) -> None:
        """Cut the line to a shard that is silent, or takes too long."""
        while not self._closed.wait(LOOK_SECONDS):
            since = [each for each in (self._waits_since, self._writes_since) if each is not None]
            waited = time.monotonic() - min(since) if since else 0.0
            self._is_late = waited > self._most
            if self._is_late or (waited > LOOK_SECONDS and not self._is_there()):
                self.cut()
                if self._writes_since is not None:
                    self._disconnect()
                return

    def _disconnect(self) -> None:
        """Shut the connection down: gRPC does not cancel what waits to be written to who does not read."""
        host, port = self.endpoint.rsplit(":", 1)
        for each in psutil.net_connections(kind="tcp"):
            is_there = each.raddr and each.raddr.port == int(port) and each.raddr.ip.removeprefix("::ffff:") == host
            if each.pid == os.getpid() and is_there:
                with socket.socket(fileno=os.dup(each.fd)) as connection, suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _is_there(self) -> bool:
        try:
            self._ping()
        except (flight.FlightError, pa.ArrowException) as error:
            logger.warning("shard at %s does not say that it is there: %s", self.endpoint, error)
            return False
        return True

    def _ping(self) -> None:
        options = flight.FlightCallOptions(timeout=SILENT_SECONDS, headers=[self._header])
        list(self._client.do_action(flight.Action(PING, b""), options))

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of a shard that cannot be reached which one it is."""
        try:
            yield
        except flight.FlightUnauthenticatedError as error:
            raise RefusedError(f"shard at {self.endpoint}: {error}") from error
        except (flight.FlightError, pa.ArrowException, StopIteration, OSError) as error:
            if self._is_late:
                raise LateError(f"no answer in {self._most:g} s from the shard at {self.endpoint}.") from error
            raise GoneError(f"shard at {self.endpoint}: {type(error).__name__}: {_shortly(error)}") from error


def _shortly(error: Exception) -> str:
    return str(error).partition(" gRPC client debug context")[0]
