"""Where in a cluster nights run, what that is called there, and on what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.settings import NightlySettings

Manifest = dict[str, Any]

DASK_PORT = 8786
UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@dataclass(frozen=True)
class Place:
    """Where in a cluster nights run, and on what.

    Attributes:
        settings: Of the nights.
        namespace: Of all objects.
        image: With the code, see the Dockerfile.
        secrets: Names of Secrets, whose keys are variables of every process.
        home_size: Of the claim for the home.
        storage_class: That many pods may write at once; the cluster's default when None.
        workers: Dask workers, a pod each: hosts of a training.
        max_workers: As many as the autoscaler may make of them.
        cpu: Cores of a worker, and of a night's own process.
        memory: Of each of these, such as ``8Gi``.
        gpus: Of a worker.
        serving_memory: Of the model server.
        operator_namespace: Where Dask's operator runs.
    """

    settings: NightlySettings
    namespace: str
    image: str
    secrets: Sequence[str]
    home_size: str
    storage_class: str | None
    workers: int
    max_workers: int
    cpu: int
    memory: str
    gpus: int
    serving_memory: str
    operator_namespace: str

    @property
    def release(self) -> str:
        """Beginning of every name, ``nightshift-shop``."""
        return f"nightshift-{self.settings.name.replace('_', '-')}"

    def name(self, component: str) -> str:
        """Return an object's name."""
        return f"{self.release}-{component}"

    @property
    def scheduler(self) -> str:
        """Address of Dask's scheduler: its service is called so by the operator."""
        scheme = "tcp" if self.settings.cluster.tls is None else "tls"
        return f"{scheme}://{self.name('dask')}-scheduler.{self.namespace}.svc:{DASK_PORT}"

    def labels(self, component: str) -> dict[str, str]:
        """Return the labels of an object; those of the release alone are of all."""
        return {**self.selector, "app.kubernetes.io/component": component}

    @property
    def selector(self) -> dict[str, str]:
        """Labels of every pod."""
        return {"app.kubernetes.io/name": "nightshift", "app.kubernetes.io/instance": self.release}

    def metadata(self, component: str) -> Manifest:
        """Return the metadata of an object that is called after its component."""
        return {"name": self.name(component), "namespace": self.namespace, "labels": self.labels(component)}


def bytes_of(memory: str) -> int:
    """Return the bytes of a quantity.

    Raises:
        ValueError: It is none such as ``512Mi`` or ``8Gi``.
    """
    found = re.fullmatch(r"([1-9]\d*)(Mi|Gi|Ti)", memory)
    if found is None:
        raise ValueError(f"{memory!r} is no quantity such as 512Mi or 8Gi")
    return int(found[1]) * UNITS[found[2]]
