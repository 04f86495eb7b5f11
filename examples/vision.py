"""Pictures to try Nightshift on: Parquet files of PNGs, with labels and the times at which they came.

    python -m examples.vision                                          handwritten digits that come with scikit-learn
    python -m examples.vision --next-day                               one day more of them
    python -m examples.vision --folder var/fashion/images --idx DIR    MNIST, or Fashion-MNIST: four idx files in DIR

The digits (Alpaydin and Kaynak, 1998) come as six days, a little dirty. Of idx files each 1,000 training pictures are a
day, and the test pictures are the newest: what a night holds out is the official test set. Neither set says when a
picture was made; the days are made up, and alike.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

FIRST_DAY = date(2026, 1, 1)
DIGITS_A_DAY = 300
DAYS_AT_FIRST = 5
"""Of the digits' six: one is left for another night."""
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


def digits() -> Iterator[tuple[date, pa.Table]]:
    """Yield the days of scikit-learn's digits, 8 x 8 grey; on each one picture is cut short, and one has no label."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images * 15.9375).astype(np.uint8)  # they come as 0 to 16
    for number, start in enumerate(range(0, len(pixels), DIGITS_A_DAY)):
        own = slice(start, start + DIGITS_A_DAY)
        labels: list[str | None] = [str(label) for label in found.target[own]]
        day = FIRST_DAY + timedelta(days=number)
        yield day, _dirty(_day(Pictures(pixels[own], [*labels[:-1], None]), day))


def of_idx_files(folder: Path) -> Iterator[tuple[date, pa.Table]]:
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
        yield day, _day(Pictures(training.pixels[own], training.labels[own]), day)
    newest = FIRST_DAY + timedelta(days=len(days))
    yield newest, _day(test, newest)


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


def _day(pictures: Pictures, day: date) -> pa.Table:
    """Return a day's pictures, one after another from morning to evening."""
    start, step = datetime.combine(day, time(6), UTC), timedelta(hours=12) / len(pictures.labels)
    seen_at = [start + number * step for number in range(len(pictures.labels))]
    times = pa.array(seen_at, pa.timestamp("us", "UTC"))
    images = pa.array([_png(pixels) for pixels in pictures.pixels], pa.binary())
    return pa.table({"image": images, "label": pa.array(pictures.labels, pa.string()), "seen_at": times})


def _dirty(day: pa.Table) -> pa.Table:
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
    parser = argparse.ArgumentParser(
        prog="python -m examples.vision",
        description="Write pictures with labels and times, one Parquet file a day (UTC). The same options give the "
        "same rows; a day that is there already is left as it is.",
    )
    parser.add_argument("--folder", type=Path, default=Path("var/digits/images"), help="where (default: %(default)s)")
    parser.add_argument("--idx", type=Path, help="folder of four idx files, packed or not; digits when left out")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--days", type=int, help="write so many, the oldest (default: 5 of the digits, all idx files')")
    which.add_argument("--next-day", action="store_true", help="write the day after the newest in the folder")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    days = options.days or (None if options.idx else DAYS_AT_FIRST)
    if options.next_day:
        days = len(list(options.folder.glob("*.parquet"))) + 1
    try:
        for number, (day, table) in enumerate(of_idx_files(options.idx) if options.idx else digits(), start=1):
            file = options.folder / f"{day}.parquet"
            if not file.exists():
                _write(table, file)
                print(f"{file}: {table.num_rows:,} pictures")
            if number == days:
                break
    except ValueError as error:
        sys.exit(f"vision: {error}")


def _write(table: pa.Table, file: Path) -> None:
    """Write a file whole or not at all: a night may be looking."""
    unfinished = file.with_name(f".{file.name}")
    pq.write_table(table, unfinished, row_group_size=PICTURES_A_DAY)
    unfinished.rename(file)


if __name__ == "__main__":
    main()
