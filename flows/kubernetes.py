"""Manifests of a cluster that runs nights: ``python -m flows.kubernetes --settings FILE --image NAME > night.yaml``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence

import yaml

from flows.databases import own_mlflow
from flows.manifests import manifests
from flows.place import Place, bytes_of
from flows.pods import HOME
from flows.problems import explained, refuse
from flows.settings import SHOP, NightlySettings

PROGRAM = "python -m flows.kubernetes"
LONGEST_NAME = 30
"""Of the logs: names of what the operator makes are longer, and a cluster takes 63 characters."""
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def read(arguments: Sequence[str]) -> Place:
    """Turn a command line into a place.

    Raises:
        SystemExit: It asks for help, or is wrong; the message names every problem.
    """
    found = _parser().parse_args(arguments)
    with explained():
        settings = (NightlySettings.from_file(found.settings) if found.settings else NightlySettings)()
    place = Place(
        settings=settings,
        namespace=found.namespace,
        image=found.image,
        secrets=tuple(found.secret),
        home_size=found.home_size,
        storage_class=found.storage_class,
        workers=found.workers,
        max_workers=found.max_workers or found.workers,
        cpu=found.cpu,
        memory=found.memory,
        gpus=found.gpus,
        serving_memory=found.serving_memory,
        operator_namespace=found.operator_namespace,
    )
    if problems := list(_problems(place)):
        refuse(problems)
    return place


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Print the manifests of a cluster that runs these nights, for `kubectl apply -f -`: a DaskCluster, "
        "Prefect's server, MLflow's, and the pod in which nights run and the model is served. Secrets are named, never "
        "printed. See docs/operations.md, On Kubernetes.",
    )
    add = parser.add_argument
    add("--settings", metavar="FILE", help=f"YAML, {SHOP.name} if neither this nor NIGHTSHIFT_SETTINGS is given")
    add("--image", required=True, help="made of the Dockerfile, as the cluster pulls it")
    add("--namespace", default="nightshift", help="of all objects; it must be there")
    add("--secret", action="append", default=[], metavar="NAME", help="Secret whose keys are variables of every "
        "process, PGPASSWORD say; may be repeated")  # fmt: skip
    add("--home-size", default="100Gi", help="of the claim for the home")
    add("--storage-class", help="one whose volumes many pods may write at once (ReadWriteMany)")
    add("--workers", type=int, default=2, help="Dask workers, a pod each: the hosts of a training")
    add("--max-workers", type=int, help="to which the autoscaler may go; none is made when omitted")
    add("--cpu", type=int, default=2, help="cores of a worker, and of a night's own process, which judges")
    add("--memory", default="8Gi", help="of each of these")
    add("--gpus", type=int, default=0, help="of a worker, nvidia.com/gpu")
    add("--serving-memory", default="4Gi", help="of the model server")
    add("--operator-namespace", default="dask-operator", help="where Dask's operator runs")
    return parser


def _problems(place: Place) -> Iterator[str]:
    """Say what cannot be in a cluster, though it may be on one machine."""
    settings = place.settings
    if own_mlflow(settings) and not (settings.tracking_uri or "").startswith("postgresql"):
        yield "tracking_uri: SQLite is no file to share among pods. Set postgresql://user@host/database, or http(s)://"
    if settings.prefect_database is None:
        yield "prefect_database: SQLite is no file for a network's disk. Set postgresql://user@host/database"
    if len(settings.name) > LONGEST_NAME:
        yield f"name {settings.name!r} has {len(settings.name)} characters; {LONGEST_NAME} at the most, here"
    for source, what in ((settings.source, "source.uri"), (settings.labels, "labels.uri")):
        if source is None:
            continue
        if not source.uri:
            yield f"{what}: no logs are named. Name a folder under {HOME}, or an object store"
        for uri in [source.uri] if isinstance(source.uri, str) else source.uri or []:
            if "://" not in uri and not uri.startswith("/"):
                yield f"{what} {uri!r} is a folder of this machine. Give one under {HOME}, or an object store's address"
    wanted = settings.train.parallelism.min_nodes
    if not wanted <= place.workers <= place.max_workers:
        yield (
            f"--workers {place.workers} is not between train.parallelism.min_nodes ({wanted}) and --max-workers "
            f"({place.max_workers})"
        )
    if place.cpu < 1 or place.gpus < 0:
        yield f"--cpu {place.cpu} and --gpus {place.gpus}: wanted at least 1 and 0"
    yield from _names(place)


def _names(place: Place) -> Iterator[str]:
    """Say which words of the command line are none of a cluster's."""
    names = {"--namespace": place.namespace, "--operator-namespace": place.operator_namespace}
    for option, name in [*names.items(), *(("--secret", secret) for secret in place.secrets)]:
        if not re.fullmatch(LABEL, name):
            yield f"{option} {name!r} is no name: small letters, digits and -, at most 63"
    for option, size in (
        ("--memory", place.memory),
        ("--serving-memory", place.serving_memory),
        ("--home-size", place.home_size),
    ):
        try:
            bytes_of(size)
        except ValueError as error:
            yield f"{option}: {error}"


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as lines."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def main(arguments: Sequence[str]) -> None:
    """Print the manifests as one YAML file."""
    made = manifests(read(arguments))
    sys.stdout.write(yaml.dump_all(made, Dumper=_Dumper, sort_keys=False, allow_unicode=True, explicit_start=True))


if __name__ == "__main__":
    main(sys.argv[1:])
