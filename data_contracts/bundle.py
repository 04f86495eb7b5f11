"""A bundle: the one folder that is shipped, from training to every place that answers.

It lies among the artifacts of the version's LoggedModel, so whoever knows the version finds it.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from data_contracts.manifest import MANIFEST, DamagedError, damage, digest

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

BUNDLE = "bundle"
"""Name of a bundle's folder, wherever it lies."""

logger = logging.getLogger(__name__)


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
