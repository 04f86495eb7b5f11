"""A person's answer to the question whether a version is to be promoted: what is shown, and what the answer does."""

from __future__ import annotations

from collections.abc import Mapping

from data_contracts.bundle import find_version
from data_contracts.commit_point import commit_point
from data_contracts.night import Answer, ModelVersion, Promotion, Workspace
from data_contracts.version import ANSWER, CHALLENGER, CHAMPION, PREVIOUS, PROMOTED, REASON, WAITING
from tasks.evaluate.pictures import recorded_pictures
from tasks.evaluate.record import recorded_evidence
from tasks.evaluate.shown import as_markdown
from tasks.promote.record import ASKED, promotion


class TooLateError(Exception):
    """The question does not stand any more; nothing was changed."""


def question(workspace: Workspace, version: ModelVersion) -> str:
    """Return the evidence for a version that waits, as Markdown: why the gate let it through, metrics, pictures.

    An answer that was not carried out comes first.

    Raises:
        TooLateError: The question does not stand any more.
        LookupError: There is no such version.
    """
    tags, run_id = _read(workspace, version)
    if why := too_late(version, tags, _holder(workspace, CHALLENGER), _holder(workspace, CHAMPION)):
        raise TooLateError(f"Nobody is asked about version {version.version}: {why}.")
    evidence = recorded_evidence(workspace.tracking_uri, run_id)
    parts = [f"**Is {version.name} version {version.version} to be promoted?** {tags[REASON].partition(ASKED)[0]}"]
    if ANSWER in tags:
        parts.insert(0, f"{Answer.model_validate_json(tags[ANSWER])} That may not have been carried out to its end.")
    if evidence is not None:
        parts += [as_markdown(evidence), *recorded_pictures(workspace.tracking_uri, run_id)]
    return "\n\n".join(parts)


def answer_once(workspace: Workspace, version: ModelVersion, answer: Answer) -> Promotion:
    """Promote a version that waits, or do not, as a person said; the same answer again changes nothing.

    Until the version is champion another answer takes the place of the first. The version waits until all of an answer
    is written: a crash before that leaves it so. The alias `champion` is `deploy`'s.

    Raises:
        TooLateError: The question does not stand any more.
        LookupError: There is no such version.
    """
    from mlflow import MlflowClient

    tags, _ = _read(workspace, version)
    champion = _holder(workspace, CHAMPION)
    why = too_late(version, tags, _holder(workspace, CHALLENGER), champion)
    if not why and champion == version.version and not answer.yes:
        why = f"version {champion} is champion already"
    if why:
        raise TooLateError(f"The answer changed nothing. {answer} But {why}.")
    decided = str(answer.yes).lower()
    if tags[PROMOTED] == decided and Answer.model_validate_json(tags[ANSWER]).yes == answer.yes:
        return promotion(version, tags)
    answered = {
        ANSWER: answer.model_dump_json(),
        REASON: tags[REASON].partition(ASKED)[0] + ASKED + str(answer),
        PROMOTED: decided,
    }
    client = MlflowClient(tracking_uri=workspace.tracking_uri)
    with commit_point("decision"):
        for name, value in [(PROMOTED, WAITING), *answered.items()]:
            client.set_model_version_tag(version.name, version.version, name, value)
    return promotion(version, {**tags, **answered})


def too_late(version: ModelVersion, tags: Mapping[str, str], challenger: str, champion: str) -> str:
    """Say why a question about a version does not stand any more; nothing when it does.

    An answer that was recorded, and broken off before the version came into service, still stands.

    Args:
        version: Asked about.
        tags: Its own.
        challenger: The version decided about last; empty without one.
        champion: The version in service; empty without one.
    """
    if challenger != version.version:
        return f"version {challenger} was decided about since" if challenger else "no version was decided about last"
    if tags[PROMOTED] != WAITING and ANSWER not in tags:
        return f"it was decided already: version {version.version} is {promotion(version, tags).verdict}"
    if champion not in {tags[PREVIOUS], version.version}:
        now, then = (f"version {each}" if each else "none" for each in (champion, tags[PREVIOUS]))
        return f"the champion is {now} now, and was {then} when version {version.version} was judged"
    return ""


def _read(workspace: Workspace, version: ModelVersion) -> tuple[dict[str, str], str]:
    """Return a version's tags, and the id of its run."""
    found = find_version(workspace.tracking_uri, version.name, version.version)
    if found is None:
        raise LookupError(f"{version.name!r} has no version {version.version!r} at {workspace.tracking_uri}.")
    return found.tags, str(found.run_id)


def _holder(workspace: Workspace, alias: str) -> str:
    """Return the version that has an alias; empty when none has."""
    found = find_version(workspace.tracking_uri, workspace.name, alias)
    return "" if found is None else str(found.version)
