"""A bundle: the one folder that is shipped, from training to every place that answers.

It lies among the artifacts of the version's LoggedModel, so whoever knows the version finds it. ::

    bundle/
    ├── ...             what the use case writes: weights, what answering needs of them, tables; no pickle
    ├── training.json   the settings it was trained under, which nobody needs to answer
    ├── bundle.json     where it comes from: `BundleRecord`
    ├── golden.json     made-up requests with the answers they got when the bundle was made
    └── manifest.json   sha256 of every other file

Each file that says what answering needs has the number of its `FORMAT`. An older one is read step by step as one of
today, and what is unknown in it is left out: code that was upgraded answers from every bundle made before.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from pydantic import PositiveInt

from data_contracts.days import Zone
from data_contracts.job import Config, TablesAt
from data_contracts.manifest import MANIFEST, DamagedError, damage, digest
from data_contracts.night import UseCaseName, Value

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

BUNDLE = "bundle"
"""Name of a bundle's folder, wherever it lies."""
RECORD, TRAINING = "bundle.json", "training.json"
FORMAT = 3
"""Of the bundles that this code writes. A new one needs a step from the last, and a bundle of it under ``tests/``."""

Steps = Mapping[int, Callable[[Config], Config]]
"""What a file of one format says, in the words of the next."""

logger = logging.getLogger(__name__)


class BundleFormatError(ValueError):
    """A bundle was written by newer code than this."""


class BundleRecord(Value, extra="ignore"):
    """Where a bundle comes from; `RECORD`.

    Attributes:
        trained_through: Key of the newest window that it learned from: a day, ISO 8601.
        day_zone: Whose day that is.
    """

    format: PositiveInt
    use_case: UseCaseName
    run_id: str
    trained_through: str
    day_zone: Zone = "UTC"
    tables: TablesAt


def read_record(folder: Path) -> BundleRecord:
    """Read where a bundle comes from.

    Raises:
        BundleFormatError: It was written by newer code.
    """
    return BundleRecord.model_validate(in_todays_format(folder / RECORD, {}))


def in_todays_format(file: Path, steps: Steps) -> Config:
    """Read a file of a bundle, of whatever format up to today's, as one of today's.

    Args:
        file: JSON; without a ``format`` it is of the first.
        steps: By the format that they lead from; where there is none, nothing changed.

    Raises:
        BundleFormatError: It is of a newer format.
    """
    told: Config = json.loads(file.read_text(encoding="utf-8"))
    written = told.get("format", 1)
    if not isinstance(written, int) or written > FORMAT:
        raise BundleFormatError(
            f"{file} is of format {written}, this code reads up to {FORMAT}: newer code made it. Run that code, or "
            "put an older version in service."
        )
    return {**_stepped(told, written, steps), "format": FORMAT}


def _stepped(told: Config, written: int, steps: Steps) -> Config:
    for number in range(written, FORMAT):
        told = steps[number](told) if number in steps else told
    return told


def training_settings(folder: Path, steps: Steps) -> tuple[Config, Config]:
    """Return the settings of model and features under which a bundle was trained, the former in today's words.

    Args:
        folder: Of the bundle.
        steps: Of the model's settings.
    """
    if (folder / TRAINING).exists():
        told = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
        return _stepped(told["model"], told.get("format", 2), steps), told["features"]
    told = json.loads((folder / "model.json").read_text(encoding="utf-8"))  # where the first format has them
    return _stepped(told["config"], 1, steps), told["features"]


def find_version(tracking_uri: str, name: str, version: str) -> ModelVersion | None:
    """Return a registered version, or None when there is no such model, version or alias.

    Args:
        tracking_uri: Of MLflow.
        name: Of the registered model.
        version: A number (``"3"``) or an alias (``"champion"``).
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=tracking_uri)
    try:
        if version.isdigit():
            return client.get_model_version(name, version)
        return client.get_model_version_by_alias(name, version)
    except MlflowException as error:
        # MLflow answers an unknown alias with INVALID_PARAMETER_VALUE, everything else unknown with the former.
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def find_version_of_run(tracking_uri: str, name: str, run_id: str) -> str | None:
    """Return the registered version that a run became, the first if there are several; None when there is none."""
    from mlflow import MlflowClient

    found = MlflowClient(tracking_uri=tracking_uri).search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return min((str(version.version) for version in found), key=int, default=None)


def download_bundle(tracking_uri: str, name: str, version: str, into: Path) -> Path:
    """Fetch the bundle of a registered version, and verify it.

    Args:
        tracking_uri: Of MLflow.
        name: Of the registered model.
        version: A number or an alias.
        into: Folder that will hold the bundle's own; made when absent.

    Returns:
        The bundle's folder.

    Raises:
        LookupError: No such version.
        DamagedError: The bundle is not as it was published, or gone.
        mlflow.exceptions.MlflowException: MLflow does not answer.
        OSError: The disk is full, say.
    """
    published = _published(tracking_uri, name, version)
    folder = _fetch(tracking_uri, published.uri, into)
    problems = damage(folder)
    if problems:
        raise DamagedError(
            f"version {published.version} is damaged in MLflow, in {published.uri}: {'; '.join(problems)}"
        )
    return folder


def bundle_digest(tracking_uri: str, name: str, version: str) -> str:
    """Return the `digest` of a registered version's bundle: its manifest alone is fetched, nothing is verified.

    Raises as `download_bundle` does.
    """
    published = _published(tracking_uri, name, version)
    if not _lists(tracking_uri, published.uri, MANIFEST):
        raise DamagedError(
            f"version {published.version} is damaged in MLflow, in {published.uri}: there is no {MANIFEST}"
        )
    with TemporaryDirectory(prefix="nightshift-manifest-") as folder:
        return digest(_fetch(tracking_uri, f"{published.uri}/{MANIFEST}", Path(folder)).parent)


class _Published(NamedTuple):
    """A registered version, and where its bundle lies."""

    version: str
    uri: str


def _published(tracking_uri: str, name: str, version: str) -> _Published:
    from mlflow import MlflowClient

    found = find_version(tracking_uri, name, version)
    if found is None:
        raise LookupError(f"registered model {name!r} has no version or alias {version!r} at {tracking_uri}.")
    source = MlflowClient(tracking_uri=tracking_uri).get_model_version_download_uri(name, str(found.version))
    location = f"{source}/artifacts"
    if not _lists(tracking_uri, location, BUNDLE):
        raise DamagedError(f"version {found.version} has no bundle in MLflow any more: there is none in {location}")
    return _Published(str(found.version), f"{location}/{BUNDLE}")


def _lists(tracking_uri: str, location: str, name: str) -> bool:
    import mlflow

    listed = mlflow.artifacts.list_artifacts(artifact_uri=location, tracking_uri=tracking_uri)
    return any(Path(artifact.path).name == name for artifact in listed)


def _fetch(tracking_uri: str, uri: str, into: Path) -> Path:
    import mlflow

    into.mkdir(parents=True, exist_ok=True)
    fetched = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into), tracking_uri=tracking_uri)
    return Path(fetched)


def fetch_bundle(tracking_uri: str, name: str, version: str, folder: Path) -> Path:
    """Fetch a version's bundle as ``folder``; a whole one that is there is kept, a damaged one fetched again.

    Safe beside others who fetch the same, or read it already. Raises as `download_bundle` does.
    """
    problems = damage(folder) if folder.exists() else ["not there yet"]
    if not problems:
        return folder
    if folder.exists():
        logger.warning("%s is damaged, and fetched again: %s", folder, "; ".join(problems))
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as staged:
        bundle = download_bundle(tracking_uri, name, version, Path(staged))
        try:
            bundle.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise somebody else was first
                raise
    return folder
