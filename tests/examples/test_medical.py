from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_contracts.vision import twins
from data_contracts.vision.pictures import UNDECODABLE, pixels, problem_of
from examples.medical import HOSPITALS, NONE, SPOT, main
from flows.settings import NightlySettings

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_scans_come_by_days_with_patients_hospitals_and_a_copy_of_an_older_one(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path), "--days", "3"])
    days = [pq.read_table(file).to_pylist() for file in sorted(tmp_path.iterdir())]
    for rows in days:
        assert [problem_of(row["image"]) for row in rows[:2]] == [UNDECODABLE, None]
        assert {row["label"] for row in rows} == {SPOT, NONE}
        assert {row["source"] for row in rows} == set(HOSPITALS)
        assert len({row["subject_id"] for row in rows}) < len(rows)
    for older, newer in pairwise(days):
        copied, copy = older[1], newer[-1]
        assert (copy["subject_id"], copy["label"]) == (copied["subject_id"], copied["label"])
        bands = [twins.bands(pixels(row["image"], size=32, channels="grey"))[None] for row in (copied, copy)]
        assert twins.are_twins(*bands).all()


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    arrays = {}
    for kind, count in (("train", 1_200), ("val", 100), ("test", 30)):
        arrays[f"{kind}_images"] = random.integers(0, 255, (count, 6, 6), np.uint8)
        arrays[f"{kind}_labels"] = random.integers(0, 2, (count, 1)).astype(np.uint8)
    np.savez(tmp_path / "scans.npz", **arrays)
    return tmp_path / "scans.npz"


def test_of_a_medmnist_file_the_newest_day_is_the_test_set(tmp_path: Path, npz: Path) -> None:
    main(["--folder", str(tmp_path / "images"), "--npz", str(npz), "--labels", "well", "ill"])
    tables = [pq.read_table(file) for file in sorted((tmp_path / "images").iterdir())]
    assert [table.num_rows for table in tables] == [1_000, 300, 30]
    with np.load(npz) as found:
        seen = [pixels(image.as_py(), size=6, channels="grey")[:, :, 0] for image in tables[2]["image"]]
        np.testing.assert_array_equal(seen, found["test_images"])
        assert tables[2]["label"].to_pylist() == [
            ("well", "ill")[number] for (number,) in found["test_labels"].tolist()
        ]


@pytest.mark.parametrize(
    ("name", "problem"), [("labels", "labels \\[7\\], wanted are 0 and 1"), ("none", "is no MedMNIST")]
)
def test_another_file_is_refused(
    tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str], name: str, problem: str
) -> None:
    if name == "labels":
        with np.load(npz) as found:
            np.savez(npz, **{**found, "val_labels": np.full((100, 1), 7)})
    else:
        npz.write_bytes(b"PK, and nothing more")
    with pytest.raises(SystemExit, match=problem):
        main(["--folder", str(tmp_path / "images"), "--npz", str(npz)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["medical.yaml", "pneumonia.yaml"])
def test_the_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME"):
        monkeypatch.delenv(variable, raising=False)
    settings = NightlySettings.from_file(str(EXAMPLES / name))()  # type: ignore[call-arg]
    assert settings.use_case == "medical"
    assert settings.model.layers >= 4
