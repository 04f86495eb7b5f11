"""Writes a shard's snapshot now and then, while it serves, and reads it for a process that was started again."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from threading import Thread
from time import sleep

from safetensors import SafetensorError

from models.distributed.parameter_server.declared import Rules
from models.distributed.parameter_server.errors import ParameterServerError
from models.distributed.parameter_server.service import ShardService
from models.distributed.parameter_server.shard import ParameterShard
from models.distributed.parameter_server.snapshot import restored, save
from models.rows.shard import Shard

logger = logging.getLogger(__name__)


class Keeper:
    """The snapshots of one shard.

    Args:
        service: Of this process.
        folder: Of all snapshots of one meeting of hosts.
        seconds: Between two of them; none is written when it is 0.
    """

    def __init__(self, service: ShardService, folder: Path, seconds: float) -> None:
        self._service, self._folder, self._seconds = service, folder, seconds
        self._kept = (0, 0)

    def start(self) -> None:
        """Write them from now on."""
        if self._seconds:
            Thread(target=self._keep_on, name="snapshots", daemon=True).start()

    def write(self) -> None:
        """Write one, if this process answers trainers, and has learned since the last; a full disk ends nothing."""
        shard = self._service.shard
        now = shard.rules.epoch, shard.clock.count
        if not now[0] or now == self._kept or not shard.has_learned:  # what is handed over is there by the first step
            return
        try:
            if not self._service.follower.is_first:
                return
            save(shard.state(), shard.shard, self._of(now[0]))
        except (OSError, SafetensorError, MemoryError, RuntimeError, ParameterServerError) as error:
            shard.count("snapshots_failed")
            logger.error(  # noqa: TRY400, where it came from says nothing
                "no snapshot of shard %s could be written in %s: %s. It serves on; if it is killed now, more is lost.",
                *(shard.shard.rank, self._folder, error),
            )
            return
        self._kept = now
        shard.count("snapshots")
        for old in self._folder.glob("origin-*"):
            if int(old.name.rpartition("-")[2]) < now[0]:
                shutil.rmtree(old, ignore_errors=True)

    def restore(self, origin: int, world: int) -> None:
        """Have the shard be as its snapshot is; without one it does nothing until trainers begin anew.

        Args:
            origin: See `Placement`.
            world: How many shards there are.
        """
        rank = self._service.follower.rank
        found = restored(self._of(origin), Shard(rank, world))
        if found is None:
            found = ParameterShard(Rules(epoch=0, rank=rank, world=world))
            found.give_up("its process was ended, and there is no snapshot of what it had learned")
        else:
            logger.warning("shard %s is as it was after %s steps", rank, found.clock.count)
        found.count("takeovers")
        self._service.shard = found

    def _of(self, origin: int) -> Path:
        return self._folder / f"origin-{origin}"

    def _keep_on(self) -> None:
        while True:
            sleep(self._seconds)
            self.write()
