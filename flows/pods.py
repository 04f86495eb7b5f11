"""What pods of a night have in common: environment, volumes, rights, resources. Plain values for YAML.

Nothing of it is secret: what is has a name here, and lies in the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.place import Manifest, Place

HOME = "/var/nightshift"
SETTINGS = "/etc/nightshift/settings.yaml"
CERTIFICATES = "/etc/nightshift/tls"
USER = 1000
"""As the Dockerfile has it. Whoever switches a model server is its own user, on a disk of one pod."""
PREFECT_PORT, MLFLOW_PORT, REST_PORT, GRPC_PORT = 4200, 5000, 8080, 8081
PAGES = f"http://127.0.0.1:{PREFECT_PORT}"
"""Of Prefect, where a browser sees them behind `kubectl port-forward`: links lead there."""


def environment(place: Place) -> dict[str, str]:
    """Return the variables of every process: over the settings file, what a cluster has elsewhere."""
    prefect = f"http://{place.name('prefect')}:{PREFECT_PORT}"
    parallelism = place.settings.train.parallelism
    variables = {
        "NIGHTSHIFT_SETTINGS": SETTINGS,
        "NIGHTSHIFT_HOME": HOME,
        "NIGHTSHIFT_PREFECT_URL": prefect,
        "NIGHTSHIFT_MLFLOW_URL": f"http://{place.name('mlflow')}:{MLFLOW_PORT}",
        "NIGHTSHIFT_CLUSTER__ADDRESS": place.scheduler,
        "PREFECT_API_URL": f"{prefect}/api",
        "PREFECT_HOME": f"{HOME}/prefect",
        "PREFECT_UI_URL": PAGES,
        "PREFECT_UI_API_URL": f"{PAGES}/api",
        "POLARS_MAX_THREADS": str(place.cpu),
        "PYTHONUNBUFFERED": "1",
    }
    if parallelism.processes_per_node is None and not place.gpus:  # the system would say the cores of the whole machine
        processes = max(place.cpu // parallelism.threads_per_process, 1)
        variables["NIGHTSHIFT_TRAIN__PARALLELISM__PROCESSES_PER_NODE"] = str(processes)
    if place.settings.cluster.tls is not None:
        for key, file in (("CA_FILE", "ca.crt"), ("CERT", "tls.crt"), ("KEY", "tls.key")):
            variables[f"NIGHTSHIFT_CLUSTER__TLS__{key}"] = f"{CERTIFICATES}/{file}"
    return variables


def container(
    place: Place,
    name: str,
    args: Sequence[str],
    *,
    cpu: str,
    memory: str,
    gpus: int = 0,
    ports: Mapping[str, int] | None = None,
    probe: Manifest | None = None,
    env: Sequence[Manifest] = (),
) -> Manifest:
    """Return a container: what it runs, on what, and how it is known to be well.

    Memory is asked for and bounded alike, so that the kernel takes it from nobody else. Cores are asked for only.

    Args:
        place: Where.
        name: Its own, in its pod.
        args: Command, behind the image's entry point.
        cpu: Cores that it is sure to have.
        memory: That it has.
        gpus: That it has.
        ports: Name to number.
        probe: How to ask it; not asked when None.
        env: Variables beside those of every process.
    """
    graphics = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    made: Manifest = {
        "name": name,
        "image": place.image,
        "args": list(args),
        "env": [*({"name": key, "value": value} for key, value in environment(place).items()), *env],
        "envFrom": [{"secretRef": {"name": secret}} for secret in place.secrets],
        "resources": {"requests": {"cpu": cpu, "memory": memory, **graphics}, "limits": {"memory": memory, **graphics}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": _mounts(place),
    }
    if ports:
        made["ports"] = [{"name": key, "containerPort": number} for key, number in ports.items()]
    if probe is not None:
        made["startupProbe"] = {**probe, "periodSeconds": 10, "failureThreshold": 60}
        made["livenessProbe"] = {**probe, "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 6}
    return made


def pod(place: Place, containers: Sequence[Manifest], *, grace: int, first: Sequence[Manifest] = ()) -> Manifest:
    """Return the specification of a pod.

    Args:
        place: Where.
        containers: Run side by side.
        grace: Seconds between SIGTERM and SIGKILL.
        first: Containers that must have ended well before.
    """
    made: Manifest = {
        "containers": list(containers),
        "volumes": _volumes(place),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
    }
    if first:
        made["initContainers"] = list(first)
    return made


def _mounts(place: Place) -> list[Manifest]:
    mounts: list[Manifest] = [
        {"name": "home", "mountPath": HOME},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "settings", "mountPath": SETTINGS, "subPath": "settings.yaml", "readOnly": True},
    ]
    if place.settings.cluster.tls is not None:
        mounts.append({"name": "tls", "mountPath": CERTIFICATES, "readOnly": True})
    return mounts


def _volumes(place: Place) -> list[Manifest]:
    volumes: list[Manifest] = [
        {"name": "home", "persistentVolumeClaim": {"claimName": place.name("home")}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": place.name("settings")}},
    ]
    if place.settings.cluster.tls is not None:
        volumes.append({"name": "tls", "secret": {"secretName": place.name("tls"), "defaultMode": 0o440}})
    return volumes
