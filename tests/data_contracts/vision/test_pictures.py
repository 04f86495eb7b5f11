from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_contracts.vision.pictures import (
    NO_PICTURE,
    TOO_LARGE,
    TOO_SMALL,
    UNDECODABLE,
    PictureError,
    pixels,
    png,
    problem_of,
)
from tests.data_contracts.vision.made_up import encoded

GREY = np.arange(400, dtype=np.uint16).reshape(20, 20).astype(np.uint8)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=2)


def header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds next to nothing."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b"\0")]
    written = (struct.pack(">I", len(each) - 4) + each + struct.pack(">I", zlib.crc32(each)) for each in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(encoded(GREY), None, id="PNG, grey"),
        pytest.param(encoded(COLOUR), None, id="PNG, colour"),
        pytest.param(encoded(COLOUR, "JPEG"), None, id="JPEG"),
        pytest.param(encoded(Image.fromarray(COLOUR).convert("P")), None, id="palette"),
        pytest.param(encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), None, id="CMYK"),
        pytest.param(b"no picture", NO_PICTURE, id="text"),
        pytest.param(encoded(COLOUR, "GIF"), NO_PICTURE, id="GIF"),
        pytest.param(encoded(GREY)[:-40], UNDECODABLE, id="PNG cut short"),
        pytest.param(encoded(COLOUR, "JPEG")[:-100], UNDECODABLE, id="JPEG cut short"),
        pytest.param(b"\x89PNG\r\n\x1a\n", UNDECODABLE, id="PNG of nothing"),
        pytest.param(b"\xff\xd8\xff\xe0", UNDECODABLE, id="JPEG of nothing"),
        pytest.param(encoded(GREY[:1, :1]), TOO_SMALL, id="one pixel"),
        pytest.param(header(20_000, 20_000), TOO_LARGE, id="20,000 x 20,000, by its header"),
        pytest.param(header(16_385, 4), TOO_LARGE, id="a long strip"),
        pytest.param(header(2**31 - 1, 2**31 - 1), TOO_LARGE, id="as large as can be said"),
        pytest.param(encoded(np.zeros((5_001, 5_000), np.uint8)), TOO_LARGE, id="25 KB that are 25 million pixels"),
    ],
)
def test_a_picture_is_judged(data: bytes, problem: str | None) -> None:
    assert problem_of(data) == problem
    if problem:
        with pytest.raises(PictureError, match="image"):
            pixels(data, size=20, channels="grey")


def test_pixels_of_the_size_wanted_are_those_of_the_file() -> None:
    np.testing.assert_array_equal(pixels(encoded(GREY), size=20, channels="grey")[:, :, 0], GREY)
    np.testing.assert_array_equal(pixels(encoded(COLOUR), size=20, channels="rgb"), COLOUR)
    np.testing.assert_array_equal(pixels(png(COLOUR), size=20, channels="rgb"), COLOUR)
    np.testing.assert_array_equal(pixels(png(GREY[:, :, None]), size=20, channels="rgb"), np.stack([GREY] * 3, axis=2))


def test_another_size_is_scaled_to_a_square() -> None:
    wide = np.repeat(np.array([[10, 200]], np.uint8), 40, axis=0).repeat(40, axis=1)
    small = pixels(encoded(wide), size=4, channels="grey")[:, :, 0]
    assert small.shape == (4, 4)
    assert (small[:, 0] == 10).all()
    assert (small[:, 3] == 200).all()


def test_sixteen_bits_are_as_bright_as_eight() -> None:
    deep = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(pixels(encoded(deep), size=20, channels="grey")[:, :, 0], GREY)


def test_white_shows_through_what_is_transparent() -> None:
    clear = np.dstack([COLOUR, np.zeros_like(GREY)])
    assert (pixels(encoded(clear), size=20, channels="grey") == 255).all()


def test_a_photograph_is_turned_as_it_says() -> None:
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    seen = pixels(encoded(GREY, exif=turned), size=20, channels="grey")[:, :, 0]
    np.testing.assert_array_equal(seen, GREY[::-1, ::-1])
