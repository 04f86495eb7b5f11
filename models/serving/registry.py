"""Where versions come from: fetched, verified, loaded, and asked what they answered when they were made.

Errors of this module::

    VersionError
    ├── NoSuchVersionError     the registry has none of that number
    ├── StagingFailedError     a version is damaged, cannot be loaded or answers wrongly: a verdict on it
    └── RegistryFailedError    the registry or this machine fails, or the registry is another than the one that was
                               meant: that says nothing about the version, and may pass
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from safetensors import SafetensorError

from data_contracts import manifest
from data_contracts.bundle import bundle_digest, download_bundle, find_version, read_record
from data_contracts.manifest import DamagedError
from data_contracts.serving import registry_of
from data_contracts.version import CHAMPION
from models.serving.bundle import GoldenAnswersError, open_bundle, read_golden, replay_golden
from models.use_case import Predictor

logger = logging.getLogger(__name__)


class VersionError(Exception):
    """A version cannot be put in service."""


class StagingFailedError(VersionError):
    """A version is damaged, cannot be loaded, or answers otherwise than when it was made: a verdict on it."""


class NoSuchVersionError(VersionError):
    """The registry has no version of that number."""


class RegistryFailedError(VersionError):
    """The registry does not answer, or has no such bundle, or the disk is full; it may go well later."""


UNFIT = (DamagedError, GoldenAnswersError, SafetensorError, ValueError)
"""What is wrong with a bundle itself; anything else that goes wrong while it is loaded is trouble of the machine."""


@dataclass(frozen=True)
class Loaded:
    """A version in memory.

    Attributes:
        version: Of the registered model.
        digest: sha256 of its bundle's manifest.
        predictor: Answers.
        trained_through: Key of the newest window that it learned from: a day, ISO 8601.
        day_zone: Whose day that is.
        since: When it was loaded or, if served, put in service; UTC.
        example: One of its golden requests.
    """

    version: str
    digest: str
    predictor: Predictor
    trained_through: str
    day_zone: str
    since: datetime
    example: Mapping[str, Any]


class Registry(Protocol):
    """Where versions come from."""

    @property
    def name(self) -> str:
        """Of the registered model."""
        ...

    @property
    def address(self) -> str:
        """What the registry is known by; see `data_contracts.serving.registry_of`."""
        ...

    def champion(self) -> str | None:
        """Return the version to serve from the start, or None when there is none.

        Raises:
            RegistryFailedError: It cannot be said now.
        """
        ...

    def require(self, version: str) -> None:
        """See that there is a version of that number.

        Raises:
            NoSuchVersionError: There is none.
            RegistryFailedError: It cannot be asked now.
        """
        ...

    def load(self, version: str, digest: str | None) -> Loaded:
        """Return a version ready to answer, checked.

        Args:
            version: Its number.
            digest: Of the bundle that is meant; whatever has that number when None.

        Raises:
            StagingFailedError: It is not fit to answer.
            RegistryFailedError: It cannot be had now, or another bundle has that number.
        """
        ...


@dataclass(frozen=True)
class MlflowRegistry:
    """A registered model of MLflow.

    Attributes:
        tracking_uri: Of MLflow.
        name: Of the registered model.
    """

    tracking_uri: str
    name: str

    @property
    def address(self) -> str:
        """See `Registry`."""
        return registry_of(self.tracking_uri)

    def champion(self) -> str | None:
        """See `Registry`."""
        with _asked(f"{self.name}'s champion"):
            found = find_version(self.tracking_uri, self.name, CHAMPION)
        return None if found is None else str(found.version)

    def require(self, version: str) -> None:
        """See `Registry`."""
        with _asked(f"{self.name} version {version}"):
            found = find_version(self.tracking_uri, self.name, version)
        if found is None:
            raise NoSuchVersionError(f"{self.name} has no version {version} in the registry {self.address}.")

    def load(self, version: str, digest: str | None) -> Loaded:
        """Fetch the bundle, verify its manifest, load it, and replay its golden requests."""
        what = f"{self.name} version {version}"
        with _asked(what), TemporaryDirectory(prefix="nightshift-bundle-") as folder:
            if digest is not None:
                self._require_bundle(version, digest)
            with _judged(what, DamagedError):
                bundle = download_bundle(self.tracking_uri, self.name, version, Path(folder))
            with _judged(what, *UNFIT):
                predictor = open_bundle(bundle)
                record = read_record(bundle)
                count = replay_golden(bundle, predictor)
                example = read_golden(bundle).requests[-1]
            sealed = manifest.digest(bundle)
        logger.info("%s version %s: %d golden requests answered as when it was made", self.name, version, count)
        return Loaded(version, sealed, predictor, record.trained_through, record.day_zone, datetime.now(UTC), example)

    def _require_bundle(self, version: str, digest: str) -> None:
        """See that the bundle of this number is the one meant, before anything is said about it.

        Raises:
            LookupError: It is another one, or there is none.
        """
        try:
            seen = bundle_digest(self.tracking_uri, self.name, version)
        except DamagedError as error:
            seen = f"none ({error})"
        if seen != digest:
            raise LookupError(
                f"the registry that this server reads, {self.address}, has another bundle of that number: its digest "
                f"is {seen}, wanted {digest}. Start the server again with the registry that has it."
            )


@contextmanager
def _asked(what: str) -> Iterator[None]:
    """Call everything but a verdict a failure that may pass."""
    try:
        yield
    except StagingFailedError:
        raise
    except Exception as error:  # the boundary of a model swap: whatever breaks, the one served stays
        raise RegistryFailedError(f"{what} cannot be had now: {type(error).__name__}: {error}") from error


@contextmanager
def _judged(what: str, *unfit: type[Exception]) -> Iterator[None]:
    """Turn what is wrong with a bundle into a verdict on its version."""
    try:
        yield
    except unfit as error:
        logger.exception("%s cannot be staged", what)
        raise StagingFailedError(f"{what} cannot be staged: {type(error).__name__}: {error}") from error
