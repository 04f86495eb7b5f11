"""Pictures, from the bytes of a file to pixels: the one way for tables and for requests.

A picture is judged by its header before any of it is decoded: few bytes may say that they are many pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from data_contracts.payloads.payload import Payload

Channels = Literal["grey", "rgb"]
Pixels = NDArray[np.uint8]

MIN_SIDE, MAX_SIDE, MAX_PIXELS = 4, 16_384, 25_000_000
"""Shortest and longest side, and pixels in all: 75 MB as RGB."""

NO_PICTURE = "image is no PNG or JPEG"
TOO_SMALL = f"image smaller than {MIN_SIDE} x {MIN_SIDE} pixels"
TOO_LARGE = f"image of more than {MAX_SIDE:,} pixels a side or {MAX_PIXELS:,} in all"
UNDECODABLE = "image cut short or not decodable"
PROBLEMS = (NO_PICTURE, TOO_SMALL, TOO_LARGE, UNDECODABLE)
"""All that may be wrong with a picture; the names of the rules that it breaks."""

NUMBERS: dict[Channels, int] = {"grey": 1, "rgb": 3}
"""Numbers a pixel has."""
_MODES: dict[Channels, str] = {"grey": "L", "rgb": "RGB"}
_OPENERS: dict[bytes, Callable[[BinaryIO], ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
}
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error)
"""What Pillow raises on bytes that are none of a picture, or not all."""
_16_BIT = 257
"""A number of 16 bits over the one of 8 bits that is as bright."""


class PictureError(ValueError):
    """Bytes are no picture that is taken; the message is one of `PROBLEMS`."""


def problem_of(data: bytes) -> str | None:
    """Return what is wrong with a picture, one of `PROBLEMS`, or None: all of it is decoded."""
    try:
        _upright(data)
    except PictureError as error:
        return str(error)
    return None


PICTURE = Payload(PROBLEMS, problem_of)


def pixels(data: bytes, *, size: int, channels: Channels) -> Pixels:
    """Decode a picture, and scale it to a square whatever its shape; where it is transparent, white shows through.

    Args:
        data: A PNG or a JPEG.
        size: Height and width wanted.
        channels: Grey, or red, green and blue.

    Returns:
        uint8, (size, size, 1 or 3).

    Raises:
        PictureError: It is no picture that is taken.
    """
    picture = _upright(data)
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) // _16_BIT).astype(np.uint8))
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    picture = picture.convert(_MODES[channels])
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(size, size, NUMBERS[channels])


def png(pixels_HWC: Pixels) -> bytes:
    """Write pixels, uint8 (height, width, 1 or 3), as a PNG."""
    one_number = pixels_HWC.shape[2] == 1
    written = BytesIO()
    Image.fromarray(pixels_HWC[:, :, 0] if one_number else pixels_HWC).save(written, "PNG")
    return written.getvalue()


def _upright(data: bytes) -> Image.Image:
    """Decode a picture, turned as its EXIF says.

    Raises:
        PictureError: It is no picture that is taken.
    """
    picture = _opened(data)
    if min(picture.size) < MIN_SIDE:
        raise PictureError(TOO_SMALL)
    if max(picture.size) > MAX_SIDE or picture.width * picture.height > MAX_PIXELS:
        raise PictureError(TOO_LARGE)
    try:
        picture.load()
        return ImageOps.exif_transpose(picture)
    except _BROKEN as error:
        raise PictureError(UNDECODABLE) from error


def _opened(data: bytes) -> ImageFile:
    """Read the header alone. `PIL.Image.open` would warn of large pictures on its own terms."""
    opener = next((opener for start, opener in _OPENERS.items() if data.startswith(start)), None)
    if opener is None:
        raise PictureError(NO_PICTURE)
    try:
        return opener(BytesIO(data))
    except _BROKEN as error:
        raise PictureError(UNDECODABLE) from error
