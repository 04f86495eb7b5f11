"""Put a promoted version in service: staged and checked first, then the alias moves, then the server switches."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from data_contracts.bundle import bundle_digest, find_version
from data_contracts.commit_point import commit_point
from data_contracts.manifest import DamagedError
from data_contracts.night import Promotion, Workspace
from data_contracts.serving import ServerState, VersionWanted
from data_contracts.version import CHAMPION, DEPLOYED, PROMOTED, REASON
from tasks.deploy.config import ServingConfig
from tasks.deploy.server import ModelServer, ServerAbsentError, ServerFailedError, ServerRefusedError

UNSERVABLE = " But it cannot be served: "
"""Between the gate's reason and the server's."""


def put_in_service(workspace: Workspace, promotion: Promotion, serving: ServingConfig) -> Promotion:
    """Serve a promoted version, or say what is served instead.

    Without a server the alias moves alone: a server loads the champion when it starts. A version that the server
    refuses to stage, or whose bundle is gone, stays what it is, and the one served stays in service. A server that
    fails, or reads another registry, has refused nothing: the version stays promoted, and is put in service when this
    is done again. What is meant is the bundle that the registry has now, by its digest; a number may be another's.

    Returns:
        The promotion, with ``served``; not promoted any more, and the reason why, if the version cannot be staged.

    Raises:
        LookupError: There is no such version.
        ServerFailedError: The server breaks, stays silent, reads another registry, or has lost what it staged.
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    name, version = promotion.version.name, promotion.version.version
    server = ModelServer(name, workspace.tracking_uri, serving)
    found = find_version(workspace.tracking_uri, name, version)
    if found is None:
        raise LookupError(f"{name!r} has no version {version!r} at {workspace.tracking_uri}.")
    if not promotion.promoted or DEPLOYED in found.tags:
        return promotion.model_copy(update={"served": _served(server)})
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    try:
        wanted = VersionWanted(version=version, digest=bundle_digest(workspace.tracking_uri, name, version))
        present = _staged(server, wanted)
    except (DamagedError, ServerRefusedError) as error:
        return _not_staged(client, promotion, str(error), server)
    with commit_point("champion"):
        client.set_registered_model_alias(name, CHAMPION, version)
    served = _switched(server, wanted) if present else _served(server)
    with commit_point("deployed"):
        client.set_model_version_tag(name, version, DEPLOYED, "true")
    return promotion.model_copy(update={"served": served, "stands": False})


def _staged(server: ModelServer, wanted: VersionWanted) -> bool:
    """Have the version loaded and checked, if there is a server for it; whether there is one.

    Raises:
        ServerForeignError: It reads another registry; nothing was asked of it.
    """
    try:
        with commit_point("stage"):
            server.state()
            server.stage(wanted)
    except ServerAbsentError:
        return False
    return True


def _not_staged(client: MlflowClient, promotion: Promotion, why: str, server: ModelServer) -> Promotion:
    """Record that the gate let a version through that cannot be served; twice is the same as once."""
    name, version = promotion.version.name, promotion.version.version
    reason = promotion.reason.partition(UNSERVABLE)[0] + UNSERVABLE + why
    client.set_model_version_tag(name, version, REASON, reason)
    client.set_model_version_tag(name, version, PROMOTED, "false")
    return promotion.model_copy(
        update={"promoted": False, "reason": reason, "served": _served(server), "stands": False}
    )


def _switched(server: ModelServer, wanted: VersionWanted) -> str:
    version = wanted.version
    try:
        with commit_point("switch"):
            state = server.switch(wanted)
    except ServerAbsentError as error:
        return f"Version {version} is champion, but not in service: {error}. A server that starts loads the champion."
    except ServerRefusedError as error:  # it was started again since, or somebody staged another version
        raise ServerFailedError(f"version {version} was staged and is champion, but not in service: {error}") from error
    return _in_service(server, state)


def _served(server: ModelServer) -> str:
    """Say in a sentence what is in service."""
    try:
        state = server.state()
    except ServerAbsentError as error:
        return f"Nothing is served: {error}. A server that starts loads the champion."
    except (ServerRefusedError, ServerFailedError) as error:
        return f"What is served is not known: {error}."
    return _in_service(server, state)


def _in_service(server: ModelServer, state: ServerState) -> str:
    if state.served is None:
        return f"The server at {server.config.rest_url} holds no version of {server.name!r} yet."
    try:
        why = stray(server.tracking_uri, state)
    except (MlflowException, OSError) as error:
        return f"Whether what is served is the registry's is not known: {error}."
    if why:
        return f"The server at {server.config.rest_url} {why}."
    return (
        f"{server.name} version {state.served.version} is in service: REST {server.config.rest_url}, "
        f"gRPC {server.config.grpc_url}."
    )


def stray(tracking_uri: str, state: ServerState) -> str:
    """Say how what is served differs from what the registry has under that number; nothing when it does not.

    A registry that was made anew, while a server went on, numbers its versions from 1 again.
    """
    held = state.served
    if held is None:
        return ""
    try:
        seen = bundle_digest(tracking_uri, state.name, held.version)
    except LookupError:
        seen = "none"
    except DamagedError:  # what is in memory was whole when it was loaded
        return ""
    if seen == held.digest:
        return ""
    return (
        f"answers with a version {held.version} of bundle {held.digest:.12}; the registry, made anew since, has "
        f"{seen:.12} there. The next version that is promoted takes its place"
    )
