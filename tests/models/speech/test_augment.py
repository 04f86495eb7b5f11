from __future__ import annotations

import numpy as np
import pytest

from models.speech.augment import augmented, longest
from models.speech.config import SpeechAugmentConfig

STILL = dict.fromkeys(("stretch", "warp", "tilt", "noise", "time_masks", "mel_masks"), 0)
SOUND = np.random.default_rng(0).uniform(5, 15, (40, 24)).astype(np.float16)


def only(**settings: float) -> SpeechAugmentConfig:
    return SpeechAugmentConfig.model_validate(STILL | settings)


def test_a_sound_is_drawn_the_same_by_seed_step_and_row_and_otherwise_by_any_other() -> None:
    one = augmented(SOUND, 3, SpeechAugmentConfig(), seed=1, step=7)
    np.testing.assert_array_equal(augmented(SOUND.copy(), 3, SpeechAugmentConfig(), seed=1, step=7), one)
    for row, seed, step in ((4, 1, 7), (3, 2, 7), (3, 1, 8)):
        other = augmented(SOUND, row, SpeechAugmentConfig(), seed=seed, step=step)
        assert other.shape != one.shape or (other != one).mean() > 0.9


def test_nothing_is_done_where_nothing_is_wanted_and_the_sound_itself_stays() -> None:
    before = SOUND.copy()
    np.testing.assert_array_equal(augmented(SOUND, 0, only(), seed=0, step=0), SOUND)
    augmented(SOUND, 0, SpeechAugmentConfig(time_masks=3, mel_masks=3), seed=0, step=0)
    np.testing.assert_array_equal(SOUND, before)


def test_it_is_slower_as_often_as_faster() -> None:
    frames = np.array([len(augmented(SOUND, row, only(stretch=0.25), seed=0, step=0)) for row in range(300)])
    assert frames.min() == 40 / 1.25
    assert frames.max() == longest(40, only(stretch=0.25)) == 40 * 1.25
    assert 0.4 < (frames > 40).mean() < 0.6


def test_a_warp_moves_what_is_in_a_band_to_another() -> None:
    tone = np.full((1, 24), 2, np.float16)
    tone[:, 11] = 10
    loudest = {int(augmented(tone, row, only(warp=0.25), seed=0, step=0).argmax()) for row in range(300)}
    assert loudest == set(range(9, 15))  # bands 11 + 1 over and times up to 1.25


def test_masks_wipe_out_no_more_than_their_share() -> None:
    wiped = []
    for row in range(200):
        seen = augmented(SOUND, row, only(time_masks=1, time_mask_share=0.2, mel_masks=1), seed=0, step=0)
        wiped.append([(seen != SOUND).all(axis=axis).sum() for axis in (1, 0)])
    assert np.max(wiped, axis=0).tolist() == [8, 4]  # 0.2 of 40 frames and of 24 bands
    assert np.min(wiped, axis=0).tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(1, 24), (2, 1), (300, 80)])
def test_a_frame_is_never_all_zeros(shape: tuple[int, int]) -> None:
    for row in range(20):
        wild = SpeechAugmentConfig(tilt=9, noise=9, time_masks=3, time_mask_share=1, mel_masks=3, mel_mask_share=1)
        seen = augmented(np.ones(shape, np.float16), row, wild, seed=0, step=0)
        assert np.isfinite(seen).all()
        assert (seen != 0).any(axis=1).all()
