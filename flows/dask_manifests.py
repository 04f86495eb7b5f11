"""Dask's objects: a scheduler, a worker on each pod, and who makes more of them. Dask's operator does what they say."""

from __future__ import annotations

import json

from flows.place import DASK_PORT, Manifest, Place, bytes_of
from flows.pods import CERTIFICATES, container, pod

DASHBOARD_PORT = 8787
OF_DASK = 0.8
"""Of a worker's memory, what Dask may fill before it restarts it; the rest is the interpreter's, and the nanny's."""
ROUTES = [f"distributed.http.scheduler.{name}" for name in ("prometheus", "info", "json", "api")]
ROUTES += [f"distributed.http.{name}" for name in ("health", "proxy", "statics")]
"""Dask's own, and `api`: by that the operator asks the scheduler which workers may go."""


def dask(place: Place) -> list[Manifest]:
    """Return the cluster, and its autoscaler where workers may become more."""
    cluster = place.name("dask")
    labels = {"labels": place.selector}
    ports = [
        {"name": "tcp-comm", "port": DASK_PORT, "targetPort": "tcp-comm"},
        {"name": "http-dashboard", "port": DASHBOARD_PORT, "targetPort": "http-dashboard"},
    ]
    selector = {"dask.org/cluster-name": cluster, "dask.org/component": "scheduler"}
    made: list[Manifest] = [
        {
            "apiVersion": "kubernetes.dask.org/v1",
            "kind": "DaskCluster",
            "metadata": place.metadata("dask"),
            "spec": {
                "scheduler": {
                    "metadata": labels,
                    "spec": _scheduler(place),
                    "service": {"type": "ClusterIP", "selector": selector, "ports": ports},
                },
                "worker": {"metadata": labels, "replicas": place.workers, "spec": _worker(place)},
            },
        }
    ]
    if place.max_workers > place.workers:
        spec = {"cluster": cluster, "minimum": place.workers, "maximum": place.max_workers}
        scaler = {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskAutoscaler"}
        made.append({**scaler, "metadata": place.metadata("dask"), "spec": spec})
    return made


def _scheduler(place: Place) -> Manifest:
    wait = f"{place.settings.cluster.wait_seconds} s"
    env = [
        {"name": "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES", "value": json.dumps(ROUTES)},
        {"name": "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT", "value": wait},
    ]
    args = ["dask", "scheduler", "--port", str(DASK_PORT), "--dashboard-address", f":{DASHBOARD_PORT}", *_tls(place)]
    ports = {"tcp-comm": DASK_PORT, "http-dashboard": DASHBOARD_PORT}
    probe = {"httpGet": {"port": "http-dashboard", "path": "/health"}}
    made = container(place, "scheduler", args, cpu="500m", memory="2Gi", ports=ports, probe=probe, env=env)
    return pod(place, [{**made, "readinessProbe": probe}], grace=30)


def _worker(place: Place) -> Manifest:
    """Return a worker: a host of a training, one task at a time, which has all of its cores."""
    limit = int(bytes_of(place.memory) * OF_DASK)
    env: list[Manifest] = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "DASK_SCHEDULER_ADDRESS", "value": place.scheduler},
    ]
    args = ["dask", "worker", place.scheduler, "--host", "$(POD_IP)", "--name", "$(DASK_WORKER_NAME)"]
    args += ["--nthreads", "1", "--memory-limit", str(limit), "--local-directory", "/tmp", *_tls(place)]
    cpu, memory = str(place.cpu), place.memory
    return pod(place, [container(place, "worker", args, cpu=cpu, memory=memory, gpus=place.gpus, env=env)], grace=30)


def _tls(place: Place) -> list[str]:
    if place.settings.cluster.tls is None:
        return []
    files = {"ca-file": "ca.crt", "cert": "tls.crt", "key": "tls.key"}
    words = [word for name, file in files.items() for word in (f"--tls-{name}", f"{CERTIFICATES}/{file}")]
    return ["--protocol", "tls", *words]
