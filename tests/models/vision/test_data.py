from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_contracts.job import Validation
from models.batches import Share
from models.networks.optimizer import rate
from models.vision.data import Pictures, VisionData
from models.vision.module import NO_CLASS
from models.vision.reading import drawn
from tests.models.jobs import WINDOWS
from tests.models.vision.tables import SIZE, fit_job, write_tables


def read(folder: Path, **changes: object) -> tuple[Pictures, Pictures]:
    tables = write_tables(folder / "tables", {WINDOWS[0]: 300, WINDOWS[1]: 200})
    data = VisionData(fit_job(tables, folder, **changes))
    (folder / "read").mkdir()
    data.read(folder / "read")
    return data.open(folder / "read")


def test_a_twentieth_of_one_window_validates_and_the_rest_is_learned_from(tmp_path: Path) -> None:
    training, validation = read(tmp_path)
    assert len(training) + len(validation) == 500
    assert 1 <= len(validation) <= 25
    seen = {each.tobytes() for each in training.pixels_NHWC}
    assert not any(each.tobytes() in seen for each in validation.pixels_NHWC)


def test_older_windows_are_replayed_in_part(tmp_path: Path) -> None:
    training, validation = read(tmp_path, windows=WINDOWS[1:], replayed=WINDOWS[:1], replay=0.5)
    own = 200 - len(validation)
    assert len(training) == own + round(own / 2)


def test_all_of_a_window_may_validate_and_nothing_is_left_then(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no labelled image to learn from in windows 2026-03-02"):
        read(tmp_path, windows=WINDOWS[1:], validation=Validation(window=WINDOWS[1], whole=True))


def test_what_is_drawn_is_as_much_as_was_wanted_and_nothing_twice(tmp_path: Path) -> None:
    tables = write_tables(tmp_path, {WINDOWS[0]: 1_500, WINDOWS[1]: 500})
    draw = [
        [each for piece in drawn(tables, WINDOWS, 400, seed=seed, night="x") for each in piece["pixels"].to_pylist()]
        for seed in (0, 0, 1)
    ]
    assert [len(each) for each in draw] == [400] * 3
    assert len(set(draw[0])) == 400
    assert draw[0] == draw[1] != draw[2]
    assert sum(piece.num_rows for piece in drawn(tables, WINDOWS, 9_000, seed=0, night="x")) == 2_000
    assert list(drawn(tables, (), 9, seed=0, night="x")) == []


def test_a_batch_is_filled_up_with_what_counts_nothing(tmp_path: Path) -> None:
    training, validation = read(tmp_path)
    share = Share(examples=40, targets=40, step=3, height=6, fixed=True)
    batch = training.batch(np.array([1, 2]), share)
    assert batch.inputs.shape == (6, SIZE, SIZE, 1)
    assert batch.targets.class_B[2:].tolist() == [NO_CLASS] * 4
    assert not batch.inputs[2:].any()
    still = validation.batch(np.arange(len(validation)), share._replace(height=1)).inputs
    np.testing.assert_array_equal(still[: len(validation)].numpy(), validation.pixels_NHWC)
    assert training.batch(np.empty(0, np.int64), share._replace(height=1)).targets.class_B.tolist() == [NO_CLASS]


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [rate(step, rise=10, steps=100) for step in range(101)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) > 0.95
    assert rates[-1] == pytest.approx(0)
    assert rate(0, rise=0, steps=10) == 1
    assert rate(200, rise=0, steps=100) == 0
