"""A bundle: the one folder that is shipped, from training to every place that answers.

It lies among the artifacts of the version's LoggedModel, so whoever knows the version finds it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

BUNDLE = "bundle"
"""Name of a bundle's folder, wherever it lies."""


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


def download_bundle(tracking_uri: str, name: str, version: str, into: Path) -> Path:
    """Fetch the bundle of a registered version, unverified: `models.serving.bundle.verify` comes before any load.

    Args:
        tracking_uri: Of MLflow.
        name: Of the registered model.
        version: A number or an alias.
        into: Folder that will hold the bundle's own; made when absent.

    Returns:
        The bundle's folder.

    Raises:
        LookupError: No such version.
        mlflow.exceptions.MlflowException: MLflow does not answer, or the artifacts are gone.
    """
    import mlflow

    found = find_version(tracking_uri, name, version)
    if found is None:
        raise LookupError(f"registered model {name!r} has no version or alias {version!r} at {tracking_uri}.")
    location = mlflow.MlflowClient(tracking_uri=tracking_uri).get_model_version_download_uri(name, str(found.version))
    into.mkdir(parents=True, exist_ok=True)
    folder = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{location}/artifacts/{BUNDLE}", dst_path=str(into), tracking_uri=tracking_uri
    )
    return Path(folder)


def fetch_bundle(tracking_uri: str, name: str, version: str, folder: Path) -> Path:
    """Fetch a version's bundle as ``folder``, which is whole whenever it is there; one that is there is kept.

    Safe beside others who fetch the same, or read it already. Raises as `download_bundle` does.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as staged:
            bundle = download_bundle(tracking_uri, name, version, Path(staged))
            try:
                bundle.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise somebody else was first
                    raise
    return folder
