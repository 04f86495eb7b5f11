"""A shard's process behind a socket: Arrow Flight, one stream of questions and answers for each trainer.

A stream's questions are answered one after another. What cannot be done is answered in words, and the stream goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pyarrow import flight

from models.distributed.parameter_server.answers import ANSWERS
from models.distributed.parameter_server.declared import Numbers, Rules
from models.distributed.parameter_server.errors import NoRoomError, OtherEpochError, ParameterServerError, RefusedError
from models.distributed.parameter_server.followers import Follower
from models.distributed.parameter_server.placement import Directory
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.wire import HEADER, Message, StreamTold, as_read, schema, written
from models.memory import is_out_of_memory

ADVICE = "Raise train.parallelism.server.shards, or give the hosts more memory."
CHANGES = {"begin", "declare", "put", "put_layers", "push", "scale", "go_on", "be_like"}
"""What both processes of a shard do."""

logger = logging.getLogger(__name__)


class ShardService(flight.FlightServerBase):  # type: ignore[misc]  # Arrow has no types
    """Serves a shard, a new one in every training that begins.

    Args:
        host: Address to listen on; any free port is taken.
        rank: Of the shard.
        directory: Where the shard map is.
        token: That callers have to know; anybody may call when it is empty.
    """

    def __init__(self, host: str, rank: int, directory: Directory, token: str = "") -> None:
        self.shard = ParameterShard(Rules(epoch=0, rank=rank))
        super().__init__(flight.Location.for_grpc_tcp(host, 0), middleware={"guard": _Guard(token)})
        self.endpoint = f"{host}:{self.port}"
        self.follower = Follower(rank, self.endpoint, directory, token, lambda: self.shard)

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[bytes]:  # noqa: ARG002
        """Say that this process is there."""
        return []

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Answer a trainer's questions until it goes."""
        told = StreamTold.model_validate_json(descriptor.command)
        logger.info("%s is served, from %s", told.trainer, context.peer())
        writer.begin(schema(told.numbers))
        for chunk in reader:
            asked, answer = self._answered(chunk, told.numbers)
            self.shard.count("bytes_moved", asked.bytes + answer.bytes)
            is_rounded = told.is_rounded(str(asked.words.get("do")))
            writer.write_with_metadata(*written(answer, told.numbers, is_rounded=is_rounded))

    def _answered(self, chunk: flight.FlightStreamChunk, numbers: Numbers) -> tuple[Message, Message]:
        """Return what was asked, and the answer; whatever goes wrong is one, or the asker would ask for ever."""
        asked = Message({}, {})
        try:
            asked = as_read(chunk.data, chunk.app_metadata, numbers)
            if asked.words["epoch"] > self.shard.epoch:
                self.follower.place()
            if asked.words["do"] in CHANGES:
                return asked, self.follower.change(asked, lambda: self._answer(asked), numbers)
            return asked, self._answer(asked)
        except ParameterServerError as error:
            return asked, _cannot(error)
        except Exception as error:  # noqa: BLE001, see above
            return asked, _cannot(_named(error, asked, self.shard.shard.rank))

    def _answer(self, asked: Message) -> Message:
        words = dict(asked.words)
        do = words.pop("do")
        try:
            if do == "begin":
                return self._begin(Rules.model_validate(words["rules"]), int(words["epoch"]))
            if do == "follow":
                self.follower.add(words["endpoint"])
                return Message({}, {})
            return ANSWERS[do](self.shard, words, asked.parts)
        except ParameterServerError as error:
            return _cannot(error)

    def _begin(self, rules: Rules, epoch: int) -> Message:
        """Forget what was, and hold what this training declares from now on; again is the same as once."""
        if rules != self.shard.rules:
            if rules.epoch <= self.shard.rules.epoch:
                raise OtherEpochError(f"this shard has begun in placement {self.shard.rules.epoch}, not {rules.epoch}.")
            self.shard.move_to(epoch)
            self.shard = ParameterShard(rules)
            self.shard.move_to(epoch)
        return Message({}, {})


def _named(error: Exception, asked: Message, rank: int) -> ParameterServerError:
    """Say what went wrong, in a word that the asker knows."""
    if is_out_of_memory(error):
        return NoRoomError(f"shard {rank} has no room: {error}. {ADVICE}")
    if not isinstance(error, KeyError | TypeError | ValueError | IndexError):
        logger.exception("shard %s could not do %s", rank, dict(asked.words))
    return RefusedError(f"{asked.words.get('do')!r} was not understood: {type(error).__name__}: {error}")


def _cannot(error: ParameterServerError) -> Message:
    logger.warning("%s: %s", type(error).__name__, error)
    return Message({"error": type(error).__name__, "said": str(error)}, {})


class _Guard(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Lets in who knows the token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._wanted = [f"Bearer {token}"] if token else None

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, list[str]]) -> None:
        """Refuse a call without it."""
        if self._wanted is not None and headers.get(HEADER) != self._wanted:
            logger.warning("a call (%s) was refused: its token is not the training's", info.method)
            raise flight.FlightUnauthenticatedError("the token is not that of this training")
