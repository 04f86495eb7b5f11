from __future__ import annotations

import numpy as np

from models.vision.augment import augmented
from models.vision.config import AugmentConfig

PIXELS = np.random.default_rng(0).integers(1, 256, (400, 6, 8, 3), dtype=np.uint8)
ROWS = np.arange(400)
BOTH = AugmentConfig(shift=2, flip=True)


def test_a_picture_is_drawn_the_same_in_any_company() -> None:
    whole = augmented(PIXELS, ROWS, BOTH, seed=1, step=7)
    some = np.array([5, 300, 17])
    np.testing.assert_array_equal(augmented(PIXELS[some], some, BOTH, seed=1, step=7), whole[some])


def test_another_seed_step_or_picture_draws_otherwise() -> None:
    whole = augmented(PIXELS, ROWS, BOTH, seed=1, step=7)
    for seed, step in ((2, 7), (1, 8)):
        other = augmented(PIXELS, ROWS, BOTH, seed=seed, step=step)
        assert (other != whole).any(axis=(1, 2, 3)).mean() > 0.9
    twins = augmented(np.repeat(PIXELS[:1], 400, axis=0), ROWS, BOTH, seed=1, step=7)
    assert len(np.unique(twins, axis=0)) == 5 * 5 * 2


def test_every_move_is_drawn_about_as_often_and_what_was_not_there_is_black() -> None:
    moved = augmented(PIXELS, ROWS, AugmentConfig(shift=1, flip=False), seed=0, step=0)
    gone_up = (moved[:, -1] == 0).all(axis=(1, 2))
    gone_down = (moved[:, 0] == 0).all(axis=(1, 2))
    for share in (gone_up.mean(), gone_down.mean()):
        assert 0.25 < share < 0.42
    still = moved[
        ~gone_up & ~gone_down & (moved[:, :, 0] != 0).any(axis=(1, 2)) & (moved[:, :, -1] != 0).any(axis=(1, 2))
    ]
    assert all(each.tobytes() in {every.tobytes() for every in PIXELS} for each in still)


def test_half_of_them_are_mirrored() -> None:
    seen = augmented(PIXELS, ROWS, AugmentConfig(shift=0, flip=True), seed=0, step=0)
    is_mirrored = (seen == PIXELS[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 0.4 < is_mirrored.mean() < 0.6
    np.testing.assert_array_equal(seen[~is_mirrored], PIXELS[~is_mirrored])


def test_nothing_is_done_where_nothing_is_wanted() -> None:
    assert augmented(PIXELS, ROWS, AugmentConfig(shift=0, flip=False), seed=0, step=0) is PIXELS
