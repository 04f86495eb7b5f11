"""Manifests against their schemas: Kubernetes' own, those of Dask's operator, and what the operator makes of them.

No cluster is here: nothing of it runs but Dask's commands.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask_kubernetes.operator
import jsonschema
import kubernetes_validate
import pytest
import yaml
from dask_kubernetes.operator.controller import controller as operator

from flows.kubernetes import main, read
from flows.pods import CERTIFICATES, SETTINGS, environment
from flows.settings import NightlySettings
from models.serving.server import _parser
from tasks.cluster import ClusterConfig, dask_cluster, on_workers
from tests.integration.conftest import free_ports, started

VERSIONS = ("1.30", "1.37")
CRDS = Path(dask_kubernetes.operator.__file__).parent / "deployment/helm/dask-kubernetes-operator/crds"
FILE = """
name: own_shop
source: {format: csv, uri: "s3://logs/*.csv.gz"}
tracking_uri: postgresql://nightshift@db.example/mlflow
prefect_database: postgresql://nightshift@db.example/prefect
cluster: {wait_seconds: 600}
train: {parallelism: {min_nodes: 2, max_nodes: 4, threads_per_process: 2}}
alerts: {notify: slack-webhook/ops}
"""
OPTIONS = ("--image", "registry.example/nightshift:1", "--secret", "nightshift-database", "--max-workers", "4")
OTHERS = ("--secret", "store", "--cpu", "8", "--memory", "16Gi", "--gpus", "1", "--storage-class", "nfs")

Manifest = dict[str, Any]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME", "NIGHTSHIFT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file."""
    path = tmp_path / "own.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def encrypted(file: Path, tmp_path: Path) -> Path:
    """The same with certificates."""
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text("a certificate's secret")
    tls = f"{{ca_file: {tmp_path}/ca, cert: {tmp_path}/cert, key: {tmp_path}/key}}"
    file.write_text(FILE.replace("{wait_seconds", f"{{address: 'tls://there:1', tls: {tls}, wait_seconds"))
    return file


def printed(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> list[Manifest]:
    """What the command prints."""
    main(["--settings", str(file), *OPTIONS, *options])
    return list(yaml.safe_load_all(capsys.readouterr().out))


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """Those of a kind, by the end of their name."""
    return {each["metadata"]["name"].rpartition("-")[2]: each for each in manifests if each["kind"] == kind}


def made_by_the_operator(cluster: Manifest) -> Iterator[Manifest]:
    """What Dask's operator makes of a cluster, by its own code."""
    name, spec, labels = cluster["metadata"]["name"], cluster["spec"], cluster["metadata"]["labels"]
    scheduler, worker = spec["scheduler"], spec["worker"]
    own = {**labels, **scheduler["metadata"]["labels"]}
    yield operator.build_scheduler_deployment_spec(name, scheduler["spec"], {}, own)
    yield operator.build_scheduler_service_spec(name, scheduler["service"], {}, own)
    own = {**labels, **worker["metadata"]["labels"]}
    yield operator.build_worker_deployment_spec(f"{name}-default", "n", name, "0123456789", worker["spec"], {}, own)


def pods(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """The specification of every pod."""
    for each in manifests:
        if each["kind"] == "DaskCluster":
            yield from (each["spec"][who]["spec"] for who in ("scheduler", "worker"))
        elif each["kind"] == "Deployment":
            yield each["spec"]["template"]["spec"]


def containers(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Every container by its name."""
    return {each["name"]: each for pod in pods(manifests) for each in pod["containers"]}


@pytest.mark.parametrize("options", [(), OTHERS], ids=["few options", "all options"])
@pytest.mark.parametrize("settings", ["file", "encrypted"])
def test_every_manifest_and_what_the_operator_makes_of_them_keeps_its_schema(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest, options: tuple[str, ...], settings: str
) -> None:
    manifests = printed(capsys, request.getfixturevalue(settings), *options)
    own = [each for each in manifests if each["apiVersion"] == "kubernetes.dask.org/v1"]
    assert [each["kind"] for each in own] == ["DaskCluster", "DaskAutoscaler"]
    for each in own:
        crd = yaml.safe_load((CRDS / f"{each['kind'].lower()}.yaml").read_text())
        jsonschema.validate(each, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    core = [each for each in manifests if each not in own]
    assert {each["kind"] for each in core} == {
        "ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "Deployment", "Service"
    }  # fmt: skip
    for each in [*core, *made_by_the_operator(own[0])]:
        for version in VERSIONS:
            kubernetes_validate.validate(each, version, strict=True)
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    assert all(len(each["metadata"]["name"]) <= 63 for each in made_by_the_operator(own[0]))


def test_the_schemas_refuse_what_is_wrong(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    manifests = printed(capsys, file)
    wrong = of_kind(manifests, "Deployment")["nights"]
    wrong["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)
    deployment = next(made_by_the_operator(of_kind(manifests, "DaskCluster")["dask"]))
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


def test_what_is_referred_to_is_there(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    manifests = printed(capsys, file)
    deployed = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(manifests, "Deployment").values()]
    deployed += [each["spec"]["template"]["metadata"]["labels"] for each in _operators_deployments(manifests)]
    for each in manifests:
        if each["kind"] == "Service":
            wanted = each["spec"]["selector"]
            assert any(wanted.items() <= labels.items() for labels in deployed), each
        if each["kind"] == "NetworkPolicy":
            wanted = each["spec"]["podSelector"]["matchLabels"]
            assert any(wanted.items() <= labels.items() for labels in deployed), each
    claims, maps = of_kind(manifests, "PersistentVolumeClaim"), of_kind(manifests, "ConfigMap")
    for pod in pods(manifests):
        for volume in pod["volumes"]:
            claim, mapped = volume.get("persistentVolumeClaim", {}), volume.get("configMap", {})
            assert claim.get("claimName") in {None, *(each["metadata"]["name"] for each in claims.values())}
            assert mapped.get("name") in {None, *(each["metadata"]["name"] for each in maps.values())}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert {each["name"] for each in container["volumeMounts"]} <= {each["name"] for each in pod["volumes"]}
    services = {each["metadata"]["name"] for each in of_kind(manifests, "Service").values()}
    scheduler = next(
        each for each in made_by_the_operator(of_kind(manifests, "DaskCluster")["dask"]) if each["kind"] == "Service"
    )
    services.add(scheduler["metadata"]["name"])
    hosts = re.findall(r"(?:http|tcp)://(nightshift-own-shop-[a-z-]+)", yaml.safe_dump_all(manifests))
    assert hosts
    assert set(hosts) <= services


def _operators_deployments(manifests: Sequence[Manifest]) -> list[Manifest]:
    cluster = of_kind(manifests, "DaskCluster")["dask"]
    return [each for each in made_by_the_operator(cluster) if each["kind"] == "Deployment"]


@pytest.mark.parametrize("settings", ["file", "encrypted"])
def test_a_pod_reads_the_same_settings_but_for_where_things_are(
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
) -> None:
    file = request.getfixturevalue(settings)
    manifests = printed(capsys, file)
    mounted = tmp_path / "settings.yaml"
    mounted.write_text(of_kind(manifests, "ConfigMap")["settings"]["data"]["settings.yaml"])
    told = {each["name"]: each["value"] for each in containers(manifests)["server"]["env"]}
    for name, value in told.items():
        if name.startswith("NIGHTSHIFT_") and value != SETTINGS:
            monkeypatch.setenv(name, value.replace(CERTIFICATES, str(tmp_path / "tls")))
    (tmp_path / "tls").mkdir()
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (tmp_path / "tls" / name).touch()
    seen = NightlySettings.from_file(str(mounted))()
    for name in told:
        monkeypatch.delenv(name, raising=False)
    wanted = read(["--settings", str(file), *OPTIONS]).settings
    elsewhere = {"home", "prefect_url", "mlflow_url", "cluster", "train"}
    assert seen.model_dump(exclude=elsewhere) == wanted.model_dump(exclude=elsewhere)
    tls = settings == "encrypted"
    scheme = "tls" if tls else "tcp"
    assert seen.cluster.address == f"{scheme}://nightshift-own-shop-dask-scheduler.nightshift.svc:8786"
    assert (seen.cluster.tls is not None) == tls
    assert seen.cluster.wait_seconds == 600
    assert seen.train.parallelism.processes_per_node == 1, "2 cores, 2 threads a process"


def test_nothing_secret_is_printed_and_secrets_are_named(
    capsys: pytest.CaptureFixture[str], encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cr3t-w0rd")
    manifests = printed(capsys, encrypted, *OTHERS)
    text = yaml.safe_dump_all(manifests)
    assert "s3cr3t-w0rd" not in text
    assert "a certificate's secret" not in text
    for pod in pods(manifests):
        assert {"name": "tls", "secret": {"secretName": "nightshift-own-shop-tls", "defaultMode": 0o440}} in pod[
            "volumes"
        ]
        for container in pod["containers"]:
            named = [each["secretRef"]["name"] for each in container["envFrom"]]
            assert named == ["nightshift-database", "store"]


def test_cores_and_memory_of_a_pod_are_those_of_what_runs_in_it(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    found = containers(printed(capsys, file, "--cpu", "8", "--memory", "10Gi"))
    dask = found["worker"]
    for each in (found["nights"], dask):
        assert each["resources"] == {"requests": {"cpu": "8", "memory": "10Gi"}, "limits": {"memory": "10Gi"}}
    assert _option(dask, "--memory-limit") == str(8 * 2**30)
    assert _option(dask, "--nthreads") == "1"
    told = {each["name"]: each.get("value") for each in dask["env"]}
    assert told["POLARS_MAX_THREADS"] == "8"
    assert told["NIGHTSHIFT_TRAIN__PARALLELISM__PROCESSES_PER_NODE"] == "4"
    with_gpus = environment(read(["--settings", str(file), *OPTIONS, "--gpus", "2"]))
    assert "NIGHTSHIFT_TRAIN__PARALLELISM__PROCESSES_PER_NODE" not in with_gpus, "one for each GPU"


def _option(container: Mapping[str, Any], name: str) -> str:
    args = container["args"]
    return str(args[args.index(name) + 1])


def test_the_model_server_is_beside_the_nights_and_takes_its_command(
    capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    nights = of_kind(printed(capsys, file), "Deployment")["nights"]["spec"]["template"]["spec"]
    worker, server = nights["containers"]
    assert worker["args"] == ["python", "-m", "flows.services", "worker"]
    shared = [each for each in worker["volumeMounts"] if each["mountPath"] == "/tmp"]
    assert shared == [each for each in server["volumeMounts"] if each["mountPath"] == "/tmp"], "the socket is there"
    options = _parser().parse_args(server["args"][3:])
    assert (options.name, options.host, options.rest_port, options.grpc_port) == ("own_shop", "0.0.0.0", 8080, 8081)
    assert {"localhost", "nightshift-own-shop-server.nightshift.svc"} <= set(options.trusted_hosts.split(","))


def test_dasks_commands_make_a_cluster_in_which_a_nights_tasks_run(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    port, dashboard = free_ports(2)
    found = containers(printed(capsys, file))
    scheduler = [*found["scheduler"]["args"], "--host", "127.0.0.1"]
    worker = found["worker"]
    own = {"$(POD_IP)": "127.0.0.1", "$(DASK_WORKER_NAME)": "first", "8786": str(port), ":8787": f":{dashboard}"}
    own[worker["args"][2]] = f"tcp://127.0.0.1:{port}"
    told = {each["name"]: each["value"] for each in found["scheduler"]["env"] if each["name"].startswith("DASK_")}
    with ExitStack() as stack:
        health = f"http://127.0.0.1:{dashboard}/health"
        for number, args in enumerate((scheduler, worker["args"])):
            command = [sys.executable, "-m", *(own.get(word, word) for word in args)]
            variables = {**os.environ, **told}
            stack.enter_context(started(command, variables, tmp_path / f"{number}.log", health))
        with dask_cluster(ClusterConfig(address=f"tcp://127.0.0.1:{port}")) as address:
            from distributed import Client

            with Client(address, set_as_default=False) as client:
                assert on_workers(client, abs, [-1, -2]) == [1, 2]
                (only,) = client.scheduler_info(n_workers=-1)["workers"].values()
                assert (only["name"], only["nthreads"]) == ("first", 1)
                assert only["memory_limit"] == int(8 * 2**30 * 0.8)


@pytest.mark.parametrize(
    ("text", "options", "problem"),
    [
        pytest.param("tracking_uri: null", (), "tracking_uri: SQLite is no file to share", id="MLflow on SQLite"),
        pytest.param("prefect_database: null", (), "prefect_database: SQLite", id="Prefect on SQLite"),
        pytest.param("source: {uri: 'logs/*'}", (), "source.uri 'logs/[*]' is a folder of this mach", id="local logs"),
        pytest.param("source: {}", (), "source.uri: no logs are named", id="no logs"),
        pytest.param(f"name: {'a' * 31}", (), "31 characters; 30 at the most", id="a long name"),
        pytest.param("", ("--workers", "1"), r"--workers 1 is not between .*min_nodes \(2\)", id="too few workers"),
        pytest.param("", ("--memory", "8GB"), "--memory: '8GB' is no quantity such as", id="no amount"),
        pytest.param("", ("--secret", "A_b"), "--secret 'A_b' is no name", id="no name"),
        pytest.param("", ("--cpu", "0"), "--cpu 0 and --gpus 0: wanted at least 1 and 0", id="no cores"),
    ],
)
def test_what_cannot_be_in_a_cluster_is_refused(file: Path, text: str, options: tuple[str, ...], problem: str) -> None:
    changed = {**yaml.safe_load(FILE), **(yaml.safe_load(text) or {})}
    file.write_text(yaml.safe_dump(changed))
    with pytest.raises(SystemExit, match=problem):
        read(["--settings", str(file), *OPTIONS, *options])


def test_help_says_what_every_option_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in ("--image IMAGE", "made of the Dockerfile", "--secret NAME", "kubectl apply -f -", "On Kubernetes"):
        assert words in said
