"""Put a promoted version in service: staged and checked first, then the alias moves, then the server switches."""

from __future__ import annotations

from mlflow import MlflowClient

from data_contracts.bundle import find_version
from data_contracts.commit_point import commit_point
from data_contracts.night import Promotion, Workspace
from data_contracts.version import CHAMPION, DEPLOYED, PROMOTED, REASON
from tasks.deploy.config import ServingConfig
from tasks.deploy.server import ModelServer, ServerAbsentError, ServerFailedError, ServerRefusedError

UNSERVABLE = " But it cannot be served: "
"""Between the gate's reason and the server's."""


def put_in_service(workspace: Workspace, promotion: Promotion, serving: ServingConfig) -> Promotion:
    """Serve a promoted version, or say what is served instead.

    Without a server the alias moves alone: a server loads the champion when it starts. A version that the server
    refuses to stage stays what it is, and the one served stays in service. A server that fails has refused nothing:
    the version stays promoted, and is put in service when this is done again.

    Returns:
        The promotion, with ``served``; not promoted any more, and the reason why, if the version cannot be staged.

    Raises:
        LookupError: There is no such version.
        ServerFailedError: The server breaks or stays silent while it stages or switches, or has lost what it staged.
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    name, version = promotion.version.name, promotion.version.version
    server = ModelServer(name, serving)
    found = find_version(workspace.tracking_uri, name, version)
    if found is None:
        raise LookupError(f"{name!r} has no version {version!r} at {workspace.tracking_uri}.")
    if not promotion.promoted or DEPLOYED in found.tags:
        return promotion.model_copy(update={"served": _served(server)})
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    try:
        with commit_point("stage"):
            server.stage(version)
        present = True
    except ServerAbsentError:
        present = False
    except ServerRefusedError as error:
        return _not_staged(client, promotion, str(error), server)
    with commit_point("champion"):
        client.set_registered_model_alias(name, CHAMPION, version)
    served = _switched(server, version) if present else _served(server)
    with commit_point("deployed"):
        client.set_model_version_tag(name, version, DEPLOYED, "true")
    return promotion.model_copy(update={"served": served})


def _not_staged(client: MlflowClient, promotion: Promotion, why: str, server: ModelServer) -> Promotion:
    """Record that the gate let a version through that cannot be served; twice is the same as once."""
    name, version = promotion.version.name, promotion.version.version
    reason = promotion.reason.partition(UNSERVABLE)[0] + UNSERVABLE + why
    client.set_model_version_tag(name, version, REASON, reason)
    client.set_model_version_tag(name, version, PROMOTED, "false")
    return promotion.model_copy(update={"promoted": False, "reason": reason, "served": _served(server)})


def _switched(server: ModelServer, version: str) -> str:
    try:
        with commit_point("switch"):
            server.switch(version)
    except ServerAbsentError as error:
        return f"Version {version} is champion, but not in service: {error}. A server that starts loads the champion."
    except ServerRefusedError as error:  # it was started again since, or somebody staged another version
        raise ServerFailedError(f"version {version} was staged and is champion, but not in service: {error}") from error
    return _served(server)


def _served(server: ModelServer) -> str:
    """Say in a sentence what is in service."""
    try:
        state = server.state()
    except ServerAbsentError as error:
        return f"Nothing is served: {error}. A server that starts loads the champion."
    except (ServerRefusedError, ServerFailedError) as error:
        return f"What is served is not known: {error}."
    if state.served is None:
        return f"The server at {server.config.rest_url} holds no version of {server.name!r} yet."
    return (
        f"{server.name} version {state.served.version} is in service: REST {server.config.rest_url}, "
        f"gRPC {server.config.grpc_url}."
    )
