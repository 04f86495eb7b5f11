from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data_contracts.job import Validation
from models.batches import Share
from models.speech.data import Recordings, SpeechData
from models.speech.decoding import BLANK
from tests.models.jobs import WINDOWS
from tests.models.speech.tables import MELS, Said, fit_job, heard, said, write_tables

TOLD = said({WINDOWS[0]: 60, WINDOWS[1]: 90})


def read(
    folder: Path, told: Said = TOLD, *, noise: Sequence[int] = (0, 1), texts: Said | None = None, **changes: object
) -> tuple[Recordings, Recordings]:
    tables = write_tables(folder / "tables", told, noise=noise, texts=texts)
    data = SpeechData(fit_job(tables, folder, **changes))
    (folder / "read").mkdir()
    data.read(folder / "read")
    return data.open(folder / "read")


def sounds(of: Recordings) -> list[bytes]:
    return [each.tobytes() for each in np.split(of.frame_FM, of.frame_end_N[:-1])] if len(of) else []


def test_a_twentieth_of_one_window_validates_and_the_rest_is_learned_from(tmp_path: Path) -> None:
    training, validation = read(tmp_path)
    assert len(training) + len(validation) == 150
    assert 1 <= len(validation) <= 15
    assert not set(sounds(training)) & set(sounds(validation))
    wanted = [len(text) for text in [*TOLD[WINDOWS[0]], *TOLD[WINDOWS[1]]]]
    assert sorted([*training.targets(), *validation.targets()]) == sorted(wanted)
    assert training.frame_FM.shape == (training.lengths().sum(), MELS)


def test_nothing_is_learned_from_a_copy_of_what_validates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copied = TOLD[WINDOWS[1]]
    with caplog.at_level(logging.INFO):
        training, validation = read(tmp_path, {WINDOWS[0]: copied, WINDOWS[1]: copied}, noise=(0, 0))
    assert 1 <= len(validation) <= 15
    assert len(training) == 2 * (len(copied) - len(validation))
    assert f"{len(validation)} recordings are copies of one that validates" in caplog.text


@pytest.mark.parametrize(("letters", "learned"), [(8, 4), (9, 3)], ids=["just enough time", "too little"])
def test_a_recording_with_less_time_than_its_text_needs_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, letters: int, learned: int
) -> None:
    """Two characters that are spoken take 160 ms, which are 8 places."""
    told = {WINDOWS[0]: ["ab"] * 3, WINDOWS[1]: ["cd"]}
    texts = {**told, WINDOWS[1]: ["abcdabcda"[:letters]]}
    with caplog.at_level(logging.WARNING):
        training, validation = read(tmp_path, told, texts=texts)
    assert len(training) + len(validation) == learned
    assert ("1 recordings have more to say than places of 20 ms" in caplog.text) == (learned == 3)


def test_what_is_said_faster_keeps_room_for_its_text(tmp_path: Path) -> None:
    told = {WINDOWS[0]: ["ab"] * 3, WINDOWS[1]: ["cd"] * 3}
    training, _ = read(tmp_path, told, texts=dict.fromkeys(told, ["abcdabcd"] * 3))
    share = Share(examples=3, targets=24, step=0, height=1, fixed=False)
    for step in range(20):
        batch = training.batch(np.arange(3), share._replace(step=step))
        assert (batch.targets.place_B >= batch.targets.size_B).all()


def test_all_of_a_window_may_validate_and_nothing_is_left_then(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no transcribed recording to learn from in windows 2026-03-02"):
        read(tmp_path, windows=WINDOWS[1:], validation=Validation(window=WINDOWS[1], whole=True))


def test_older_windows_are_replayed_in_part(tmp_path: Path) -> None:
    training, validation = read(tmp_path, windows=WINDOWS[1:], replayed=WINDOWS[:1], replay=0.5)
    own = 90 - len(validation)
    assert len(training) == own + round(own / 2)


def test_a_batch_is_filled_up_with_what_says_nothing(tmp_path: Path) -> None:
    _, validation = read(tmp_path, validation=Validation(window=WINDOWS[1], whole=True))
    share = Share(examples=40, targets=40, step=3, height=4, fixed=False)
    batch = validation.batch(np.array([0, 1]), share)
    longest = max(validation.lengths()[:2])
    assert batch.inputs.shape == (4, longest, MELS)
    for row, text in enumerate(TOLD[WINDOWS[1]][:2]):
        frames = heard(text, seed=1_000 + row)
        np.testing.assert_array_equal(batch.inputs[row, : len(frames)].numpy(), frames.astype(np.float32))
        assert not batch.inputs[row, len(frames) :].any()
        assert batch.targets.place_B[row] == -(-len(frames) // 2)
    assert not batch.inputs[2:].any()
    assert batch.targets.size_B.tolist() == [*map(len, TOLD[WINDOWS[1]][:2]), 0, 0]
    assert (batch.targets.symbol_BS[2:] == BLANK).all()
    assert validation.batch(np.empty(0, np.int64), share._replace(height=1)).targets.size_B.tolist() == [0]


def test_batches_of_one_shape_have_room_for_the_slowest(tmp_path: Path) -> None:
    training, _ = read(tmp_path)
    share = Share(examples=8, targets=40, step=0, height=8, fixed=True)
    steps = [(np.arange(8) + 8 * step, share._replace(step=step)) for step in range(8)]
    shapes = {training.batch(rows, own).inputs.shape for rows, own in steps}
    assert len(shapes) == 1
