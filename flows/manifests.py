"""The objects of a cluster that runs nights: Dask's, and what `make up` starts on one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from flows.dask_manifests import DASHBOARD_PORT, dask
from flows.databases import own_mlflow, prefects_database
from flows.place import DASK_PORT, Manifest, Place
from flows.pods import GRPC_PORT, HOME, MLFLOW_PORT, PREFECT_PORT, REST_PORT, container, pod

REPLACED: dict[str, bool | set[str]] = {
    "home": True,
    "prefect_url": True,
    "mlflow_url": True,
    "cluster": {"address", "tls"},
    "serving": {"rest_url", "grpc_url"},
}
"""Settings that say where things are: in a cluster, elsewhere. `flows.pods.environment` says where."""
MINUTE = 60


def manifests(place: Place) -> list[Manifest]:
    """Return all of them, in the order in which they are to be made."""
    return [_settings(place), _home(place), *_network(place), *dask(place), *_records(place), *_house(place)]


def _settings(place: Place) -> Manifest:
    own = place.settings.model_dump(mode="json", exclude_unset=True, exclude=REPLACED)
    text = yaml.safe_dump(own, sort_keys=False, allow_unicode=True)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": place.metadata("settings"),
        "data": {"settings.yaml": text},
    }


def _home(place: Place) -> Manifest:
    spec: Manifest = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": place.home_size}}}
    if place.storage_class is not None:
        spec["storageClassName"] = place.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place.metadata("home"), "spec": spec}


def _network(place: Place) -> list[Manifest]:
    """Return who may speak: pods of the release, all with the model server, and the operator with Dask."""
    own = {"podSelector": {"matchLabels": place.selector}}
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.operator_namespace}}}
    serving = [{"port": port} for port in (REST_PORT, GRPC_PORT)]
    scheduler = [{"port": port} for port in (DASK_PORT, DASHBOARD_PORT)]
    return [
        _policy(place, "inside", {}, [{"from": [own]}]),
        _policy(place, "serving", {"app.kubernetes.io/component": "nights"}, [{"ports": serving}]),
        _policy(place, "operator", {"dask.org/component": "scheduler"}, [{"from": [operator], "ports": scheduler}]),
    ]


def _policy(place: Place, name: str, labels: Mapping[str, str], ingress: Sequence[Manifest]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": place.metadata(name),
        "spec": {
            "podSelector": {"matchLabels": {**place.selector, **labels}},
            "policyTypes": ["Ingress"],
            "ingress": list(ingress),
        },
    }


def _records(place: Place) -> list[Manifest]:
    """Return the servers of Prefect and, before its database, of MLflow, reached by `kubectl port-forward`."""
    made: list[Manifest] = []
    database = [{"name": name, "value": value} for name, value in prefects_database(place.settings).items()]
    args = ["prefect", "server", "start", "--host", "0.0.0.0", "--port", str(PREFECT_PORT)]
    made += _server(place, "prefect", args, PREFECT_PORT, "/api/health", database)
    if own_mlflow(place.settings):
        args = ["mlflow", "server", "--host", "0.0.0.0", "--port", str(MLFLOW_PORT), "--workers", "1"]
        args += ["--backend-store-uri", place.settings.workspace().tracking_uri]
        args += ["--default-artifact-root", f"{HOME}/artifacts", "--no-serve-artifacts"]
        quiet = [{"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"}]
        made += _server(place, "mlflow", args, MLFLOW_PORT, "/health", quiet)
    return made


def _server(
    place: Place, name: str, args: Sequence[str], port: int, path: str, env: Sequence[Manifest]
) -> list[Manifest]:
    probe = {"httpGet": {"port": "http", "path": path}}
    made = container(place, name, args, cpu="500m", memory="2Gi", ports={"http": port}, probe=probe, env=env)
    running = pod(place, [{**made, "readinessProbe": probe}], grace=30)
    return [_deployment(place, name, running), _service(place, name, name, {"http": port})]


def _house(place: Place) -> list[Manifest]:
    """Return the pod in which nights run, with the model server beside them: they switch it over a socket in /tmp."""
    cpu, memory = str(place.cpu), place.memory
    register = container(place, "register", ["python", "-m", "flows.schedule"], cpu="500m", memory="2Gi")
    worker = container(place, "nights", ["python", "-m", "flows.services", "worker"], cpu=cpu, memory=memory)
    service = place.name("server")
    names = [service, *(f"{service}.{place.namespace}{end}" for end in ("", ".svc", ".svc.cluster.local"))]
    args = ["python", "-m", "models.serving.server", "--tracking-uri", place.settings.workspace().tracking_uri]
    args += ["--name", place.settings.name, "--host", "0.0.0.0", "--trusted-hosts"]
    args += [",".join([*place.settings.serving.trusted_hosts, *names])]
    args += ["--rest-port", str(REST_PORT), "--grpc-port", str(GRPC_PORT)]
    ports = {"rest": REST_PORT, "grpc": GRPC_PORT}
    known = {"port": "rest", "httpHeaders": [{"name": "Host", "value": "localhost"}]}
    live, ready = ({"httpGet": {**known, "path": f"/v2/health/{how}"}} for how in ("live", "ready"))
    server = container(place, "server", args, cpu="1", memory=place.serving_memory, ports=ports, probe=live)
    running = pod(place, [worker, {**server, "readinessProbe": ready}], grace=MINUTE, first=[register])
    return [_deployment(place, "nights", running), _service(place, "server", "nights", ports)]


def _deployment(place: Place, component: str, running: Manifest) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": place.metadata(component),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # two would do the same work
            "selector": {"matchLabels": place.labels(component)},
            "template": {"metadata": {"labels": place.labels(component)}, "spec": running},
        },
    }


def _service(place: Place, name: str, component: str, ports: Mapping[str, int]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": place.metadata(name),
        "spec": {
            "selector": place.labels(component),
            "ports": [{"name": key, "port": port, "targetPort": key} for key, port in ports.items()],
        },
    }
