"""Which version answers: staged beside the one served, switched in one step, kept for the way back. No sockets here.

At most three versions are in memory: served, staged, previous.

Errors of this module::

    VersionError           (`models.serving.registry`, with those of loading)
    └── NotStagedError     a switch to a version that is not in memory
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock

from data_contracts.serving import ServerState, VersionHeld
from models.serving.registry import Loaded, Registry, VersionError
from models.use_case import StreamingPredictor

logger = logging.getLogger(__name__)


class NotStagedError(VersionError):
    """A version must be staged before it is switched to."""


@dataclass(frozen=True)
class Held:
    """Every version in memory. Replaced as a whole: whoever reads it sees one moment."""

    served: Loaded | None = None
    staged: Loaded | None = None
    previous: Loaded | None = None

    def find(self, version: str, digest: str | None) -> Loaded | None:
        """Return that version if it is in memory, with that bundle if one is named."""
        every = (self.staged, self.served, self.previous)  # what was loaded last first: a number may come again
        numbered = (loaded for loaded in every if loaded is not None and loaded.version == version)
        return next((loaded for loaded in numbered if digest in {None, loaded.digest}), None)


class Versions:
    """The versions of one registered model. Any thread may read `held`; changes take turns."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.held = Held()
        self._staging = Lock()
        self._changing = Lock()

    def serve_champion(self) -> None:
        """Serve the champion, if there is one and nothing is served yet.

        Raises:
            VersionError: It cannot be loaded, or the registry fails.
        """
        version = self.registry.champion()
        if version is None:
            logger.info("%s has no champion yet: live, not ready", self.registry.name)
            return
        self.stage(version)
        if self.held.served is None:
            self.switch(version)

    def stage(self, version: str, digest: str | None = None) -> None:
        """Load a version beside the one served, unless it is in memory already; another one staged makes room first.

        Args:
            version: Its number.
            digest: Of its bundle: another one of that number in memory is not the one meant.

        Raises:
            NoSuchVersionError: There is none of that number; all in memory stay.
            StagingFailedError: It is damaged, cannot be loaded, or answers wrongly; those served and previous stay.
            RegistryFailedError: It cannot be had now, or has another bundle; those served and previous stay.
        """
        with self._staging:
            if self.held.find(version, digest) is not None:
                return
            self.registry.require(version)
            with self._changing:
                self.held = replace(self.held, staged=None)
            loaded = self.registry.load(version, digest)
            with self._changing:
                self.held = replace(self.held, staged=loaded)

    def switch(self, version: str, digest: str | None = None) -> None:
        """Serve a version that is in memory; requests under way end on the one they began with. See `stage`.

        Raises:
            NotStagedError: It is not in memory; nothing changed.
        """
        with self._changing:
            held, wanted = self.held, self.held.find(version, digest)
            if wanted is None:
                meant = f"{version} of bundle {digest}" if digest else version
                raise NotStagedError(
                    f"{self.registry.name} version {meant} is not in memory; "
                    f"{_names(held)}. Stage it first, then switch."
                )
            if wanted is held.served:
                return
            staged = None if wanted is held.staged else held.staged
            self.held = Held(replace(wanted, since=datetime.now(UTC)), staged, previous=held.served)
        logger.info("%s version %s is in service", self.registry.name, version)

    def renew(self, version: str, digest: str | None = None) -> None:
        """Load what is served anew, since what it reads beside its bundle was changed; no other stays in memory.

        Raises:
            NotStagedError: Another version is served; nothing changed.
            VersionError: It cannot be loaded; what is served stays. See `stage`.
        """
        with self._staging:
            loaded = self.registry.load(version, digest)
            with self._changing:
                served = self.held.served
                if served is None or served.version != version or digest not in {None, served.digest}:
                    raise NotStagedError(f"{self.registry.name} version {version} is not served; {_names(self.held)}.")
                self.held = Held(replace(loaded, since=served.since))
        logger.info("%s version %s was loaded anew", self.registry.name, version)

    def state(self) -> ServerState:
        """Say what is in memory."""
        held = self.held
        return ServerState(
            name=self.registry.name,
            registry=self.registry.address,
            served=_held(held.served),
            staged=_held(held.staged),
            previous=_held(held.previous),
        )


def _held(loaded: Loaded | None) -> VersionHeld | None:
    if loaded is None:
        return None
    return VersionHeld(
        version=loaded.version,
        digest=loaded.digest,
        since=loaded.since,
        trained_through=loaded.trained_through,
        streams=isinstance(loaded.predictor, StreamingPredictor),
    )


def _names(held: Held) -> str:
    roles = {"served": held.served, "staged": held.staged, "previous": held.previous}
    return ", ".join(f"{role}: {loaded.version if loaded else 'none'}" for role, loaded in roles.items())
