from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from data_contracts.vision.examples import BANDS
from data_contracts.vision.pictures import Pixels, pixels
from data_contracts.vision.twins import BITS_OF_A_BAND, TWIN_BITS, UNKNOWN, are_twins, bands, keys
from tests.data_contracts.vision.made_up import bars, encoded

GOLDEN = [8424813, 8878989, 8970323, 7486972]
"""The first bands of a made-up picture."""
BITS = BANDS * BITS_OF_A_BAND


def twins(one: Pixels, other: Pixels) -> bool:
    return bool(are_twins(bands(one)[None], bands(other)[None])[0])


def scene(seed: int, size: int = 200) -> NDArray[np.uint8]:
    """A picture with soft shapes in it, as a camera makes them."""
    rough = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC))


def seen(data: bytes, size: int = 28) -> Pixels:
    return pixels(data, size=size, channels="grey")


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_that_was_written_anew_is_a_twin(seed: int) -> None:
    picture = scene(seed)
    own = seen(encoded(picture))
    assert twins(own, own)
    assert twins(own, seen(encoded(picture, "JPEG", quality=75)))
    half = Image.fromarray(picture).resize((100, 100), Image.Resampling.LANCZOS)
    assert twins(own, seen(encoded(half)))
    assert not twins(own, own[:, ::-1])


def test_other_pictures_are_none() -> None:
    made = [seen(encoded(scene(seed))) for seed in range(40)] + list(bars(40, size=28)[0])
    assert not any(twins(one, other) for one, other in combinations(made, 2))


@pytest.mark.parametrize("size", [4, 8, 28, 33])
def test_nearly_flat_pictures_are_twins_only_where_they_are_the_same(size: int) -> None:
    ramp = np.linspace(0, 250, size).astype(np.uint8)
    dot = np.zeros((size, size, 1), np.uint8)
    dot[0, 0] = 9
    flat = [
        np.zeros((size, size, 1), np.uint8),
        np.ones((size, size, 1), np.uint8),
        dot,
        np.tile(ramp, (size, 1))[:, :, None],
        np.tile(ramp[::-1], (size, 1))[:, :, None],
        np.tile(np.roll(ramp[::-1], 1), (size, 1))[:, ::-1, None],
    ]
    assert all(twins(each, each.copy()) for each in flat)
    assert not any(twins(one, other) for one, other in combinations(flat, 2))


def test_the_same_shape_on_another_ground_is_no_twin() -> None:
    dark = (scene(0, 28) // 2)[:, :, None]
    assert not twins(dark, dark + np.uint8(40))


def test_a_grey_picture_has_the_same_bands_in_colour() -> None:
    grey = scene(3, 28)[:, :, None]
    assert (bands(grey) == bands(grey.repeat(3, axis=2))).all()


@given(st.sets(st.integers(0, BITS - 1), max_size=BANDS - 1), st.integers(0, 2**32 - 1))
def test_few_bits_that_differ_leave_a_band_as_it_is(places: set[int], seed: int) -> None:
    own = np.random.default_rng(seed).integers(0, 2**24, (1, BANDS))
    other = own.copy()
    for place in places:
        other[0, place // BITS_OF_A_BAND] ^= 1 << place % BITS_OF_A_BAND
    assert (own == other).any()
    assert are_twins(own, other)[0] == (len(places) <= TWIN_BITS)
    if len(places) <= TWIN_BITS:
        assert (keys(own) == keys(other)).any(), "so they are compared at all"


def test_each_place_of_a_picture_has_a_bit_of_its_own_and_neighbours_are_in_different_bands() -> None:
    grows = np.random.default_rng(0).integers(0, 2, (BANDS, BITS_OF_A_BAND)).astype(np.bool_)

    def of(grows: NDArray[np.bool_]) -> NDArray[np.int64]:
        steps = np.pad(np.where(grows, 7, -7), ((0, 0), (1, 0)))
        return bands((128 + steps.cumsum(axis=1)).astype(np.uint8)[:, :, None]) & 0xFFFF

    own, bit_of = of(grows), {}
    for place in product(range(BANDS), range(BITS_OF_A_BAND)):
        other = grows.copy()
        other[place] ^= True
        differs = own ^ of(other)
        (band,) = np.flatnonzero(differs)
        bit_of[place] = band, int(differs[band])
    assert len(set(bit_of.values())) == BITS
    assert all(number.bit_count() == 1 for _, number in bit_of.values())
    for row, column in product(range(BANDS - 1), range(BITS_OF_A_BAND - 1)):
        near = {bit_of[place][0] for place in ((row, column), (row + 1, column), (row, column + 1))}
        assert len(near) == 3, "a spot does not change all of a band and nothing of others"


def test_of_whom_nobody_knows_the_bands_is_nobodys_twin() -> None:
    unknown = np.full((1, BANDS), UNKNOWN)
    assert not are_twins(unknown, unknown)[0]


def test_bands_are_those_of_yesterday() -> None:
    """They are stored: whatever library is newer must make the same."""
    picture = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    assert bands(picture)[:4].tolist() == GOLDEN
    assert bands(np.zeros((8, 8, 1), np.uint8))[:3].tolist() == [47374, 45091, 53963]
