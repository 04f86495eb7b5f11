from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_contracts.job import Validation
from models.batches import Share
from models.networks.optimizer import rate
from models.reading import drawn
from models.vision.data import Pictures, VisionData
from models.vision.module import NO_CLASS
from models.vision.reading import LEARNED, dataset_of
from tests.data_contracts.vision.made_up import bars
from tests.models.jobs import WINDOWS
from tests.models.vision.tables import SIZE, Columns, fit_job, write_tables

COUNTS = {WINDOWS[0]: 300, WINDOWS[1]: 200}
ASKED: Any = {"night": "x", "columns": LEARNED}


def read(folder: Path, more: Mapping[str, Columns] | None = None, **changes: object) -> tuple[Pictures, Pictures]:
    tables = write_tables(folder / "tables", COUNTS, more=more)
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


def pictures(of: Pictures) -> list[bytes]:
    return [each.tobytes() for each in of.pixels_NHWC]


def test_the_subjects_of_a_window_validate_or_are_learned_from_whatever_window_they_are_of(tmp_path: Path) -> None:
    of_place = [f"patient {place % 100}" for place in range(300)]
    subjects = {window: of_place[:count] for window, count in COUNTS.items()}
    more = {window: {"subject_id": own} for window, own in subjects.items()}
    training, validation = read(tmp_path, more, windows=WINDOWS[1:], replayed=WINDOWS[:1], replay=1.5)
    subject_of = {
        each.tobytes(): subject
        for seed, count in enumerate(COUNTS.values())
        for each, subject in zip(bars(count, size=SIZE, seed=seed)[0], of_place, strict=False)
    }
    validating = Counter(subject_of[each] for each in pictures(validation))
    assert 1 <= len(validating) <= 15
    assert set(validating.values()) == {2}, "both pictures of each of the window's 100"
    learned = {subject_of[each] for each in pictures(training)}
    assert len(learned) == 100 - len(validating)
    assert not learned & validating.keys()
    assert len(training) > 200 - len(validation), "older pictures of the others are replayed"


def test_nothing_is_learned_from_a_twin_of_what_validates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    same = bars(200, size=SIZE, seed=1)[0]
    nearly = np.where(same > 0, same - 1, same)
    others = bars(100, size=SIZE, seed=0)[0]
    older = {WINDOWS[0]: {"pixels": np.concatenate([nearly, others])}}
    with caplog.at_level(logging.INFO):
        training, validation = read(tmp_path, older)
    assert len(validation)
    assert len(training) == 500 - 2 * len(validation)
    assert f"{len(validation)} images are twins of one that validates, or show its subject" in caplog.text
    twins = {each.tobytes() for each, own in zip(nearly, same, strict=True) if own.tobytes() in pictures(validation)}
    assert not twins & set(pictures(training))


def test_rows_of_before_have_no_bands_and_are_learned_from(tmp_path: Path) -> None:
    twin = {WINDOWS[0]: {"pixels": np.concatenate([bars(200, size=SIZE, seed=1)[0]] * 2)[:300], "bands": None}}
    training, validation = read(tmp_path, twin)
    assert len(training) + len(validation) == 500


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
        [
            each
            for piece in drawn(dataset_of(tables), WINDOWS, 400, seed=seed, **ASKED)
            for each in piece["pixels"].to_pylist()
        ]
        for seed in (0, 0, 1)
    ]
    assert [len(each) for each in draw] == [400] * 3
    assert len(set(draw[0])) == 400
    assert draw[0] == draw[1] != draw[2]
    assert sum(piece.num_rows for piece in drawn(dataset_of(tables), WINDOWS, 9_000, seed=0, **ASKED)) == 2_000
    assert list(drawn(dataset_of(tables), (), 9, seed=0, **ASKED)) == []


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
