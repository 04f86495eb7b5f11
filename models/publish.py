"""Turn weights into a bundle, and log it once as a LoggedModel of the run: ``python -m models.publish job.json``."""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import mlflow
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array

from data_contracts.binary import with_bytes
from data_contracts.bundle import BUNDLE, FORMAT, RECORD, TRAINING, BundleRecord
from data_contracts.commit_point import commit_point
from data_contracts.job import PublishJob, PublishResult, commit
from data_contracts.manifest import seal, verify
from data_contracts.process import main
from models.serving.bundle import read_golden, write_golden
from models.use_case import Predictor, use_case

ROOT = Path(__file__).parents[1]
CODE = ("models", "data_contracts")
"""Packages that answering needs; they travel with the model."""
REQUIREMENTS = ("deltalake", "fsspec", "mlflow", "pandas", "polars", "pyarrow", "pydantic", "safetensors", "torch")
"""Libraries that answering needs; pinned to those that made the golden answers."""


class Written(NamedTuple):
    """A bundle just written.

    Attributes:
        folder: Where it is.
        predictor: What answered its golden requests.
    """

    folder: Path
    predictor: Predictor


def publish(job: PublishJob) -> PublishResult:
    """Log the run's model; a run that has one already keeps it.

    Raises:
        DamagedError: The weights are not as they were trained.
        ValueError: The weights do not fit the tables.
        mlflow.exceptions.MlflowException: MLflow does not answer, or does not know the run.
    """
    mlflow.set_tracking_uri(job.tracking_uri)
    with mlflow.start_run(run_id=job.run_id):  # ends the run in any case: a kill may have left it running
        model = find_logged_model(job.tracking_uri, job.run_id)
        if model is not None and model.status == LoggedModelStatus.READY:
            model_id = model.model_id
        else:
            if model is not None:  # MLflow does not go on with one that it has tied to its run already
                MlflowClient().delete_logged_model(model.model_id)
            model_id = _log(job, *write_bundle(job))
    example = use_case(job.use_case).example(job)
    return PublishResult(model_id=model_id, model_uri=f"models:/{model_id}", example=example)


def find_logged_model(tracking_uri: str, run_id: str) -> LoggedModel | None:
    """Return the model that the run logged, or one that it began to log and did not end; None when there is none."""
    client = MlflowClient(tracking_uri=tracking_uri)
    experiment_id = client.get_run(run_id).info.experiment_id
    logged = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    return min(logged, key=lambda model: model.status != LoggedModelStatus.READY, default=None)


def write_bundle(job: PublishJob) -> Written:
    """Write the bundle into the job's folder: staged, sealed, then renamed; one that is there is replaced.

    Raises:
        DamagedError: The weights are not as they were trained.
        ValueError: The weights do not fit the tables.
    """
    verify(Path(job.checkpoint))
    folder = Path(job.work_folder) / BUNDLE
    staged = folder.with_name(f".{BUNDLE}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    parts = use_case(job.use_case)
    record = BundleRecord(
        format=FORMAT,
        use_case=job.use_case,
        run_id=job.run_id,
        trained_through=job.trained_through,
        day_zone=job.day_zone,
        tables=job.tables,
    )
    commit(record, staged / RECORD)
    parts.write_bundle(job, staged)
    if (settings := Path(job.checkpoint) / TRAINING).exists():
        shutil.copyfile(settings, staged / TRAINING)
    predictor = parts.predictor(staged)
    write_golden(staged, predictor, parts.golden_requests(staged))
    seal(staged)
    shutil.rmtree(folder, ignore_errors=True)
    return Written(staged.rename(folder), predictor)


def _log(job: PublishJob, folder: Path, predictor: Predictor) -> str:
    """Log the bundle with everything that a plain Python process needs, and return the model's id.

    Args:
        job: What to publish.
        folder: The bundle.
        predictor: What answers from it.
    """
    with commit_point("logged model"):
        info = mlflow.pyfunc.log_model(
            name=job.use_case.rpartition(".")[2],
            python_model=str(ROOT / "models" / "serving" / "answering.py"),
            artifacts={BUNDLE: str(folder)},
            code_paths=_code(job.use_case),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _libraries(job.use_case)],
            signature=_signature(predictor),
            input_example=pd.DataFrame([with_bytes(read_golden(folder).requests[-1])]),
        )
    return str(info.model_id)


def _libraries(name: str) -> tuple[str, ...]:
    return (*REQUIREMENTS, *use_case(name).requirements)


def _code(use_case: str) -> list[str]:
    """Return the packages that travel with a model: our own, and that of a use case that is not ours."""
    own = [str(ROOT / package) for package in CODE]
    package, inside, _ = use_case.partition(".")
    return [*own, *import_module(package).__path__] if inside else own


def _signature(predictor: Predictor) -> ModelSignature:
    return ModelSignature(_columns(predictor.request_schema), _columns(predictor.answer_schema))


def _columns(schema: pa.Schema) -> Schema:
    """Numbers are as wide here as in any pandas frame; the predictor checks their range."""
    plain = {
        pa.string(): DataType.string,
        pa.binary(): DataType.binary,
        pa.int32(): DataType.long,
        pa.float32(): DataType.double,
    }
    kinds = [
        Array(plain[field.type.value_type]) if pa.types.is_list(field.type) else plain[field.type] for field in schema
    ]
    return Schema(
        [ColSpec(kind, field.name, required=not field.nullable) for kind, field in zip(kinds, schema, strict=True)]
    )


if __name__ == "__main__":
    main(PublishJob, publish)
