"""Retrain every night: raw logs in, a judged and served model out. Deployed as ``nightly`` (prefect.yaml)."""

from __future__ import annotations

from datetime import date

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed

from data_contracts.night import Promotion
from data_contracts.upgrade import bring_up_to_date
from flows.databases import require_databases
from flows.ending import ends_in_time
from flows.questions import ask, require_served
from flows.settings import NightlySettings
from tasks.cluster import dask_cluster
from tasks.deploy.task import deploy
from tasks.evaluate.task import evaluate
from tasks.full_disk import names_a_full_disk
from tasks.ingest.task import ingest
from tasks.lock import only_night
from tasks.preprocess.task import preprocess
from tasks.promote.task import promote
from tasks.register.task import register
from tasks.tidy.task import tidy
from tasks.train.task import train
from tasks.validate.task import validate, validate_labels


@flow(name="nightly-retrain", result_serializer="json", persist_result=True)
def nightly_retrain(through: date | None = None, settings: NightlySettings | None = None) -> State[Promotion]:
    """Take the logs not yet seen, retrain on them, and serve the result if it is better.

    Args:
        through: Last day to take; the newest whole day with rows of no window yet when omitted.
        settings: Defaults to the environment (``NIGHTSHIFT_*``) and the settings file it names.

    Returns:
        What was decided, and why: a `Promotion`, and in words as the message of the run's state.
    """
    settings = settings or NightlySettings()
    require_served(settings.gate)
    require_databases(settings)
    workspace = settings.workspace()
    with only_night(workspace, flow_run.name), ends_in_time(), names_a_full_disk(workspace):
        bring_up_to_date(workspace)
        with dask_cluster(settings.cluster) as address:
            if settings.labels is not None:
                labels = ingest(workspace, settings.labels, address)
                validate_labels(workspace, labels, settings.validation, address)
            staged = ingest(workspace, settings.source, address)
            validated = validate(workspace, staged, through, settings.validation, address)
            night = preprocess(workspace, validated, settings.held_out, settings.features, settings.protocol, address)
            candidate = train(workspace, night, settings.train, settings.model, settings.features, address)
        evidence = evaluate(workspace, candidate, night, settings.model, settings.features, settings.gate.metric)
        version = register(workspace, candidate, evidence, night, settings.model, settings.features)
        promotion = promote(workspace, version, evidence, night, settings.gate, settings.held_out)
        deployed = deploy(workspace, promotion, settings.serving)
        asked = ask(workspace, deployed, night, settings.serving)
        tidy(workspace, candidate, settings.keep)
        return Completed(data=asked, message=str(asked))


if __name__ == "__main__":
    import sys

    from flows.command import run

    run(nightly_retrain, sys.argv[1:])
