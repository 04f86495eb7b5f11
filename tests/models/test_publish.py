from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput

from data_contracts.bundle import BUNDLE, read_record
from data_contracts.job import PublishResult, commit, read
from data_contracts.manifest import DamagedError
from models.publish import write_bundle
from models.serving.bundle import open_bundle, replay_golden
from tests.models.serving.tiny_shop import WINDOWS, item, new_run, publish_job

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "tests" / "faults"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, PublishResult]:
    """Publish by the job's own process: killed while it logs the model, killed once it has, and at last not."""
    folder = tmp_path_factory.mktemp("shop")
    tracking_uri, run_id = new_run(folder)
    commit(publish_job(folder, tracking_uri=tracking_uri, run_id=run_id), folder / "job.json")
    begin_to_log(MlflowClient(tracking_uri=tracking_uri), run_id, folder / "torn")
    assert publish(folder, FAULT_POINT="logged model", FAULT_MOMENT="after") == -signal.SIGKILL
    assert publish(folder) == 0
    return folder, tracking_uri, run_id, read(folder / "result.json", PublishResult)


def begin_to_log(client: MlflowClient, run_id: str, torn: Path) -> None:
    """Leave a model behind as a kill does while its artifacts are copied."""
    experiment = client.get_run(run_id).info.experiment_id
    begun = client.create_logged_model(experiment, name="recommender", source_run_id=run_id)
    (torn / "artifacts" / BUNDLE).mkdir(parents=True)
    (torn / "artifacts" / BUNDLE / "model.safetensors").write_bytes(b"torn")
    client.log_model_artifacts(begun.model_id, str(torn))
    client.log_outputs(run_id, [LoggedModelOutput(begun.model_id, step=0)])


def publish(folder: Path, **fault: str) -> int:
    """Run the job, and return its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(FAULTS), "FAULT_TARGET": "self", **fault}
    command = [sys.executable, "-m", "models.publish", str(folder / "job.json")]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def test_a_run_has_one_model_and_is_ended_however_often_it_was_killed(
    published: tuple[Path, str, str, PublishResult],
) -> None:
    _, tracking_uri, run_id, result = published
    client = MlflowClient(tracking_uri=tracking_uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    models = client.search_logged_models([run.info.experiment_id])
    assert [(model.model_id, model.status) for model in models] == [(result.model_id, "READY")]


def test_weights_changed_since_they_were_trained_are_refused(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    (Path(job.checkpoint) / "model.safetensors").write_bytes(b"other")
    with pytest.raises(DamagedError, match=r"'model.safetensors': sha256 is"):
        write_bundle(job)


def test_the_model_carries_its_bundle_signature_example_and_requirements(
    published: tuple[Path, str, str, PublishResult],
) -> None:
    folder, tracking_uri, run_id, result = published
    mlflow.set_tracking_uri(tracking_uri)
    info = mlflow.models.get_model_info(result.model_uri)
    assert info.signature is not None
    assert info.signature.inputs.input_names() == ["user_id", "history", "k", "times"]
    assert info.signature.outputs.input_names() == ["item_id", "score", "source"]
    assert info.saved_input_example_info is not None
    artifacts = Path(mlflow.artifacts.download_artifacts(result.model_uri, dst_path=str(folder)))
    bundle = artifacts / "artifacts" / BUNDLE
    assert replay_golden(bundle, open_bundle(bundle)) == 9
    record = read_record(bundle)
    assert (record.run_id, record.trained_through, record.tables.versions["state"]) == (run_id, WINDOWS[0], 0)
    assert "torch==2.13.0" in (artifacts / "requirements.txt").read_text().splitlines()
    assert not list(artifacts.rglob("*.pkl"))


def test_the_model_answers_in_a_plain_python_process_that_knows_nothing_of_this_project(
    published: tuple[Path, str, str, PublishResult], tmp_path: Path
) -> None:
    _, tracking_uri, _, result = published
    script = tmp_path / "plain.py"
    script.write_text(
        "import sys\n"
        "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
        f"sys.path = [path for path in sys.path if path != {str(ROOT)!r}]\n"
        "import importlib.util, json, mlflow, pandas\n"
        "assert importlib.util.find_spec('models') is None\n"
        f"mlflow.set_tracking_uri({tracking_uri!r})\n"
        f"model = mlflow.pyfunc.load_model({result.model_uri!r})\n"
        f"frame = pandas.DataFrame({{'history': [['{item(1)}'], [], None], 'user_id': [None, None, 'ada']}})\n"
        "frame['k'] = [2, 3, 4]\n"
        "try:\n    model.predict(pandas.DataFrame({'user': ['ada']}))\n"
        "except ValueError as error:\n    print(error, file=sys.stderr)\n"
        "print(json.dumps([model.predict(frame).to_dict('list'),\n"
        "                  model.predict(pandas.DataFrame({'user_id': ['ada']})).to_dict('list')]))\n"
    )
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, capture_output=True, text=True)
    batch, alone = (pd.DataFrame(answer) for answer in json.loads(done.stdout.splitlines()[-1]))
    assert "request 0: neither of user_id and history, wanted one of them" in done.stderr
    assert batch["source"].tolist() == ["history", "popular: empty history", "history"]
    assert batch["item_id"][1] == [item(1), item(2), item(3)]
    assert [len(items) for items in batch["item_id"]] == [2, 3, 4]
    assert alone["item_id"][0][:4] == batch["item_id"][2]
