"""Bundles of every format that ever was are opened and answer as when they were made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.bundle import FORMAT, RECORD, BundleFormatError
from data_contracts.manifest import MANIFEST, seal
from models.serving.bundle import open_bundle, replay_golden
from tests.models.serving.tiny_shop import write_tables

BUNDLES = Path(__file__).with_name("bundles")
"""One of each, as `tests.models.serving.tiny_shop` has them published by the code of its time."""


def told(file: Path, **more: Any) -> None:
    """Write other members into a file of a bundle."""
    file.write_text(json.dumps(json.loads(file.read_text()) | more))


@pytest.fixture(params=range(1, FORMAT + 1))
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A bundle of each format, beside its tables; not sealed."""
    folder = Path(shutil.copytree(BUNDLES / f"format-{request.param}", tmp_path / "bundle"))
    (folder / MANIFEST).unlink()
    told(folder / RECORD, tables=write_tables(tmp_path / "tables").model_dump(mode="json"))
    return folder


def test_a_bundle_answers_as_when_it_was_made(bundle: Path) -> None:
    seal(bundle)
    predictor = open_bundle(bundle)
    assert replay_golden(bundle, predictor) == 9
    answer = predictor.predict(pa.Table.from_pylist([{"user_id": "ada", "k": 3}], schema=predictor.request_schema))
    assert answer["source"].to_pylist() == ["history"]


def test_what_newer_code_says_besides_is_left_out(bundle: Path) -> None:
    model = json.loads((bundle / "model.json").read_text())
    network = model.get("config", model)["network"]
    network["activation"] = "gelu"
    (bundle / "model.json").write_text(json.dumps({**model, "more": 1}))
    told(bundle / RECORD, more=1)
    seal(bundle)
    assert replay_golden(bundle, open_bundle(bundle)) == 9


@pytest.mark.parametrize("file", ["model.json", RECORD])
def test_a_newer_format_is_refused_by_name(bundle: Path, file: str) -> None:
    told(bundle / file, format=FORMAT + 1)
    seal(bundle)
    wanted = rf"{file} is of format {FORMAT + 1}, this code reads up to {FORMAT}: newer code made it"
    with pytest.raises(BundleFormatError, match=wanted):
        open_bundle(bundle)
