"""Pictures to try Nightshift on: Parquet files of PNGs, with labels and the times at which they came.

    python -m examples.vision                                          handwritten digits that come with scikit-learn
    python -m examples.vision --next-day                               one day more of them
    python -m examples.vision --folder var/fashion/images --idx DIR    MNIST, or Fashion-MNIST: four idx files in DIR

The digits (Alpaydin and Kaynak, 1998) come as six days, a little dirty. Of idx files each 1,000 training pictures are a
day, and the test pictures are the newest: what a night holds out is the official test set. Neither set says when a
picture was made; the days are made up, and alike.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from examples.by_day import DAYS_AT_FIRST, FIRST_DAY, Days, parser, times_of, write

DIGITS_A_DAY = 300
PICTURES_A_DAY = 1_000
IMAGES, LABELS = 0x803, 0x801
"""First number of an idx file: bytes in three dimensions, or in one."""


class Pictures(NamedTuple):
    """Pictures and what they show.

    Attributes:
        pixels: uint8, (pictures, height, width).
        labels: One each; None where nobody said so.
    """

    pixels: NDArray[np.uint8]
    labels: list[str | None]


def digits() -> Days:
    """Yield the days of scikit-learn's digits, 8 x 8 grey; on each one picture is cut short, and one has no label."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images * 15.9375).astype(np.uint8)  # they come as 0 to 16
    for number, start in enumerate(range(0, len(pixels), DIGITS_A_DAY)):
        own = slice(start, start + DIGITS_A_DAY)
        labels: list[str | None] = [str(label) for label in found.target[own]]
        day = FIRST_DAY + timedelta(days=number)
        yield day, cut_short(day_of(Pictures(pixels[own], [*labels[:-1], None]), day))


def of_idx_files(folder: Path) -> Days:
    """Yield the days of four idx files: training pictures by the thousand, then all test pictures.

    Raises:
        ValueError: A file is missing, or is not what its name says.
    """
    training, test = (
        _pictures(folder, f"{kind}-images-idx3-ubyte", f"{kind}-labels-idx1-ubyte") for kind in ("train", "t10k")
    )
    days = range(0, len(training.labels), PICTURES_A_DAY)
    for number, start in enumerate(days):
        own, day = slice(start, start + PICTURES_A_DAY), FIRST_DAY + timedelta(days=number)
        yield day, day_of(Pictures(training.pixels[own], training.labels[own]), day)
    newest = FIRST_DAY + timedelta(days=len(days))
    yield newest, day_of(test, newest)


def _pictures(folder: Path, images: str, labels: str) -> Pictures:
    pixels, numbers = _idx(folder, images, IMAGES), _idx(folder, labels, LABELS)
    if len(pixels) != len(numbers):
        raise ValueError(f"{images} holds {len(pixels):,} pictures, {labels} {len(numbers):,} labels.")
    return Pictures(pixels, [str(number) for number in numbers])


def _idx(folder: Path, name: str, kind: int) -> NDArray[np.uint8]:
    file = next((file for file in (folder / name, folder / f"{name}.gz") if file.exists()), None)
    if file is None:
        raise ValueError(f"there is no {name} in {str(folder)!r}, packed (.gz) or not.")
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    found, *shape = np.frombuffer(data[: 4 * (1 + kind % 256)], ">u4").tolist()
    if found != kind or len(data) != 4 * (1 + len(shape)) + int(np.prod(shape)):
        raise ValueError(f"{file} is no idx file of bytes: it begins with {found:#x} and shape {shape}.")
    return np.frombuffer(data, np.uint8, offset=4 * (1 + len(shape))).reshape(shape)


def day_of(pictures: Pictures, day: date) -> pa.Table:
    """Return a day's pictures, one after another from morning to evening."""
    images = pa.array([_png(pixels) for pixels in pictures.pixels], pa.binary())
    return pa.table(
        {"image": images, "label": pa.array(pictures.labels, pa.string()), "seen_at": times_of(day, len(images))}
    )


def cut_short(day: pa.Table) -> pa.Table:
    """Cut the first picture short."""
    images = day["image"].to_pylist()
    return day.set_column(0, "image", pa.array([images[0][: len(images[0]) // 2], *images[1:]], pa.binary()))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    written = BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days that are not there yet, and say so.

    Raises:
        SystemExit: The command line is wrong, or the idx files are; the message says how.
    """
    asked = parser("vision", "pictures with labels and times", "var/digits/images")
    asked.add_argument("--idx", type=Path, help="folder of four idx files, packed or not; digits when left out")
    options = asked.parse_args(arguments)
    days, at_first = (of_idx_files(options.idx), None) if options.idx else (digits(), DAYS_AT_FIRST)
    write(days, options, at_first, "pictures")


if __name__ == "__main__":
    main()
