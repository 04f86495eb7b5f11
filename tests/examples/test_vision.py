from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_contracts.vision.pictures import UNDECODABLE, pixels, problem_of
from examples.vision import main
from flows.settings import NightlySettings

EXAMPLES = Path(__file__).parents[2] / "examples"


def write_idx(file: Path, values: np.ndarray) -> None:
    head = struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape)
    file.write_bytes(gzip.compress(head + values.tobytes()) if file.suffix == ".gz" else head + values.tobytes())


@pytest.fixture
def idx(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "idx"
    folder.mkdir()
    for kind, count, ending in (("train", 1_500, ".gz"), ("t10k", 30, "")):
        write_idx(folder / f"{kind}-images-idx3-ubyte{ending}", random.integers(0, 255, (count, 6, 6), np.uint8))
        write_idx(folder / f"{kind}-labels-idx1-ubyte{ending}", random.integers(0, 10, count).astype(np.uint8))
    return folder


def test_digits_come_by_days_and_a_little_dirty(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path / "images"), "--days", "2"])
    files = sorted((tmp_path / "images").iterdir())
    assert [file.name for file in files] == ["2026-01-01.parquet", "2026-01-02.parquet"]
    for file in files:
        rows = pq.read_table(file).to_pylist()
        assert [problem_of(row["image"]) for row in rows[:2]] == [UNDECODABLE, None]
        assert (len(rows), rows[-1]["label"], {row["seen_at"].date().isoformat() for row in rows}) == (
            300, None, {file.stem},
        )  # fmt: skip


def test_of_idx_files_the_newest_day_is_the_test_set(tmp_path: Path, idx: Path) -> None:
    main(["--folder", str(tmp_path / "images"), "--idx", str(idx)])
    tables = [pq.read_table(file) for file in sorted((tmp_path / "images").iterdir())]
    assert [table.num_rows for table in tables] == [1_000, 500, 30]
    whole = np.frombuffer((idx / "t10k-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(30, 6, 6)
    seen = [pixels(image.as_py(), size=6, channels="grey")[:, :, 0] for image in tables[2]["image"]]
    np.testing.assert_array_equal(seen, whole)
    labels = (idx / "t10k-labels-idx1-ubyte").read_bytes()[8:]
    assert tables[2]["label"].to_pylist() == [str(label) for label in labels]


def test_a_day_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--folder", str(tmp_path), "--days", "1"])
    main(["--folder", str(tmp_path), "--next-day"])
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / name}.parquet: 300 pictures" for name in ("2026-01-01", "2026-01-02")
    ]


def test_idx_files_that_are_missing_or_none_are_named(tmp_path: Path, idx: Path) -> None:
    with pytest.raises(SystemExit, match="pictures: there is no train-images-idx3-ubyte in"):
        main(["--folder", str(tmp_path / "images"), "--idx", str(tmp_path)])
    (idx / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x1e")
    with pytest.raises(SystemExit, match=r"is no idx file of bytes: it begins with 0x801 and shape .30."):
        main(["--folder", str(tmp_path / "images"), "--idx", str(idx)])


@pytest.mark.parametrize("name", ["vision.yaml", "fashion-mnist.yaml"])
def test_the_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME"):
        monkeypatch.delenv(variable, raising=False)
    settings = NightlySettings.from_file(str(EXAMPLES / name))()  # type: ignore[call-arg]
    assert settings.use_case == "vision"
    assert settings.model.layers >= 4
