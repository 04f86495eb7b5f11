from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from data_contracts.bundle import BUNDLE
from data_contracts.job import PublishResult, commit, read
from models.serving.bundle import open_bundle, read_record, replay_golden
from tests.models.serving.tiny_shop import WINDOWS, item, new_run, publish_job

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, PublishResult]:
    """Publish by the job's own process, twice."""
    folder = tmp_path_factory.mktemp("shop")
    tracking_uri, run_id = new_run(folder)
    commit(publish_job(folder, tracking_uri=tracking_uri, run_id=run_id), folder / "job.json")
    results = []
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "models.publish", str(folder / "job.json")], cwd=ROOT, check=True)
        results.append(read(folder / "result.json", PublishResult))
    assert results[0] == results[1]
    return folder, tracking_uri, run_id, results[0]


def test_a_run_has_one_model_however_often_it_is_published(published: tuple[Path, str, str, PublishResult]) -> None:
    _, tracking_uri, run_id, result = published
    client = MlflowClient(tracking_uri=tracking_uri)
    models = client.search_logged_models([client.get_run(run_id).info.experiment_id])
    assert [model.model_id for model in models] == [result.model_id]


def test_the_model_carries_its_bundle_signature_example_and_requirements(
    published: tuple[Path, str, str, PublishResult],
) -> None:
    folder, tracking_uri, run_id, result = published
    mlflow.set_tracking_uri(tracking_uri)
    info = mlflow.models.get_model_info(result.model_uri)
    assert info.signature is not None
    assert info.signature.inputs.input_names() == ["user_id", "history", "k"]
    assert info.signature.outputs.input_names() == ["item_id", "score", "source"]
    assert info.saved_input_example_info is not None
    artifacts = Path(mlflow.artifacts.download_artifacts(result.model_uri, dst_path=str(folder)))
    bundle = artifacts / "artifacts" / BUNDLE
    assert replay_golden(bundle, open_bundle(bundle)) == 9
    record = read_record(bundle)
    assert (record.run_id, record.trained_through, record.tables.versions["histories"]) == (run_id, WINDOWS[0], 0)
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
        "print(json.dumps([model.predict(frame).to_dict('list'),\n"
        "                  model.predict(pandas.DataFrame({'user_id': ['ada']})).to_dict('list')]))\n"
    )
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, capture_output=True, text=True)
    batch, alone = (pd.DataFrame(answer) for answer in json.loads(done.stdout.splitlines()[-1]))
    assert batch["source"].tolist() == ["history", "popular: empty history", "history"]
    assert batch["item_id"][1] == [item(1), item(2), item(3)]
    assert [len(items) for items in batch["item_id"]] == [2, 3, 4]
    assert alone["item_id"][0][:4] == batch["item_id"][2]
