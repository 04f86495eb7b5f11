"""Who stands against whom tonight, on which window; the judging itself is a job (``models.evaluate``)."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import BaseModel

from data_contracts.evidence import Evidence, Judgement
from data_contracts.job import JUDGING, EvaluateJob, TablesAt, Validation
from data_contracts.night import Candidate, Night, Workspace
from data_contracts.version import ANCHOR, CANDIDATE, CHAMPION
from tasks.champion import find_anchor, find_champion
from tasks.evaluate.pictures import pictures
from tasks.evaluate.record import learned, record_evidence, recorded_evidence
from tasks.job import run_job

ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0",
}
"""Of the process that judges. Threads that wait for others sleep: on a busy machine their spinning took ten times the
processor time of the work. What Arrow and Polars have freed goes back at once: it was 130 MB of 1,100.
"""

logger = logging.getLogger(__name__)


def judge(
    workspace: Workspace,
    candidate: Candidate,
    night: Night,
    model: BaseModel,
    features: BaseModel,
    metric: str | None = None,
) -> Evidence:
    """Judge the candidate, the champion and the anchor if there are any, and the baselines on the last window, once.

    A version of other tables, one that learned from that window, and one that is damaged in MLflow are left out, and
    the evidence says so.

    Args:
        workspace: Says where tables, runs and MLflow are.
        candidate: What `train` made.
        night: Its last window judges, the one before it validated.
        model: Settings of the use case: what is a target, say.
        features: Settings that the tables were made with.
        metric: Decides; the use case's own choice when None.

    Returns:
        The evidence; that recorded in the candidate's run, if the run was judged before.

    Raises:
        JobFailedError: Somebody cannot rank: the candidate's weights are damaged, say; started again, the night
            trains them again.
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    recorded = recorded_evidence(workspace.tracking_uri, candidate.run_id)
    if recorded is not None:
        return recorded
    folder = Path(workspace.runs) / candidate.run_id / JUDGING
    *known_windows, window = night.windows
    champion = find_champion(workspace, night, candidate.run_id)
    anchor = champion and find_anchor(workspace, night, candidate.run_id, champion)
    others = {name: found for name, found in ((CHAMPION, champion), (ANCHOR, anchor)) if found}
    left_out = {name: found.stranger or found.damaged for name, found in others.items() if not found.bundle}
    for name, why in left_out.items():
        logger.warning("The %s is not judged: %s.", name, why)
    job = EvaluateJob(
        use_case=workspace.use_case,
        tables=TablesAt(folder=workspace.tables, versions=night.tables),
        window=window,
        first_day=night.window.first_day if night.protocol == "nightly" else None,
        day_zone=workspace.day_zone,
        known_windows=tuple(known_windows),
        validation=Validation(window=known_windows[-1], whole=night.protocol == "leave_one_out"),
        contestants={
            CANDIDATE: candidate.checkpoint,
            **{name: found.bundle for name, found in others.items() if found.bundle},
        },
        metric=metric,
        config=model.model_dump(mode="json"),
        features=features.model_dump(mode="json"),
        work_folder=str(folder),
    )
    result = run_job("models.evaluate", job, folder, Judgement, environment=ENVIRONMENT)
    evidence = Evidence(
        **{**dict(result), "remarks": (*filter(None, [candidate.remark]), *result.remarks)},
        run_id=candidate.run_id,
        versions={name: found.version for name, found in others.items()},
        left_out=left_out,
        champion_damaged=bool(champion and champion.damaged),
    )
    curves = learned(workspace.tracking_uri, candidate.run_id)
    record_evidence(workspace.tracking_uri, evidence, pictures(evidence, curves))
    return evidence
