"""How a decision is kept: as tags of the version it is about. The alias `champion` is moved by `deploy`, not here."""

from __future__ import annotations

from data_contracts.bundle import find_version
from data_contracts.commit_point import commit_point
from data_contracts.evidence import Evidence
from data_contracts.night import HeldOut, ModelVersion, Night, Promotion, Workspace
from data_contracts.version import ANCHORED, CHALLENGER, CHAMPION, PREVIOUS, PROMOTED, REASON
from tasks.promote.config import GateConfig
from tasks.promote.gate import anchored, decide


def decide_once(
    workspace: Workspace, version: ModelVersion, evidence: Evidence, night: Night, gate: GateConfig, held_out: HeldOut
) -> Promotion:
    """Decide about a version and record it; a version decided about before keeps its decision.

    It may be champion itself by then, so the champion before it is recorded too. The decision's tag comes last:
    a crash before it leaves the version undecided, and nothing else has changed but the alias `challenger`.

    Raises:
        LookupError: There is no such version.
    """
    from mlflow import MlflowClient

    found = find_version(workspace.tracking_uri, version.name, version.version)
    if found is None:
        raise LookupError(f"{version.name!r} has no version {version.version!r} at {workspace.tracking_uri}.")
    if PROMOTED in found.tags:
        return _promotion(version, found.tags).model_copy(update={"stands": True})
    champion = find_version(workspace.tracking_uri, version.name, CHAMPION)
    decision = decide(evidence, gate, held_out, night.protocol)
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    if night.protocol == "nightly":
        with commit_point("challenger"):
            client.set_registered_model_alias(version.name, CHALLENGER, version.version)
    tags = {
        PREVIOUS: str(champion.version) if champion else "",
        ANCHORED: anchored(evidence, version.version),
        REASON: decision.reason,
        PROMOTED: str(decision.promoted).lower(),
    }
    with commit_point("decision"):
        for name, value in tags.items():
            client.set_model_version_tag(version.name, version.version, name, value)
    return _promotion(version, tags)


def _promotion(version: ModelVersion, tags: dict[str, str]) -> Promotion:
    return Promotion(
        version=version, previous=tags[PREVIOUS] or None, promoted=tags[PROMOTED] == "true", reason=tags[REASON]
    )
