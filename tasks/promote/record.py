"""How a decision is kept: as tags of the version it is about. The alias `champion` is moved by `deploy`, not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from data_contracts.bundle import find_version
from data_contracts.commit_point import commit_point
from data_contracts.evidence import Evidence
from data_contracts.night import HeldOut, ModelVersion, Night, Promotion, Workspace
from data_contracts.version import ANCHORED, CHALLENGER, CHAMPION, PREVIOUS, PROMOTED, REASON, WAITING
from tasks.promote.config import GateConfig
from tasks.promote.gate import anchored, decide

if TYPE_CHECKING:
    from mlflow import MlflowClient

ASKED = " Asked whether to promote it, "
"""Between the gate's reason and what came of the question."""


def decide_once(
    workspace: Workspace, version: ModelVersion, evidence: Evidence, night: Night, gate: GateConfig, held_out: HeldOut
) -> Promotion:
    """Decide about a version and record it; a version decided about before keeps its decision.

    With ``gate.approval`` what the gate lets through waits for a person's answer. A version that still waits from
    before is not promoted: nobody answered in time.

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
        return promotion(version, found.tags).model_copy(update={"stands": True})
    champion = find_version(workspace.tracking_uri, version.name, CHAMPION)
    decision = decide(evidence, gate, held_out, night.protocol)
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    if night.protocol == "nightly":
        with commit_point("challenger"):
            _end_question(client, workspace, version)
            client.set_registered_model_alias(version.name, CHALLENGER, version.version)
    promoted = str(decision.promoted).lower()
    tags = {
        PREVIOUS: str(champion.version) if champion else "",
        ANCHORED: anchored(evidence, version.version),
        REASON: decision.reason,
        PROMOTED: WAITING if decision.promoted and gate.approval else promoted,
    }
    with commit_point("decision"):
        for name, value in tags.items():
            client.set_model_version_tag(version.name, version.version, name, value)
    return promotion(version, tags)


def promotion(version: ModelVersion, tags: Mapping[str, str]) -> Promotion:
    """Return what a version's tags say was decided about it."""
    return Promotion(
        version=version,
        previous=tags[PREVIOUS] or None,
        promoted=tags[PROMOTED] == "true",
        reason=tags[REASON],
        waiting=tags[PROMOTED] == WAITING,
    )


def _end_question(client: MlflowClient, workspace: Workspace, newer: ModelVersion) -> None:
    """Take silence about the version decided about last for a no."""
    last = find_version(workspace.tracking_uri, newer.name, CHALLENGER)
    if last is None or last.tags.get(PROMOTED) != WAITING or str(last.version) == newer.version:
        return
    silence = f"nobody answered in time: version {newer.version} was decided about."
    reason = last.tags[REASON].partition(ASKED)[0] + ASKED + silence
    client.set_model_version_tag(newer.name, str(last.version), REASON, reason)
    client.set_model_version_tag(newer.name, str(last.version), PROMOTED, "false")
