"""Scans to try Nightshift on: Parquet files of PNGs, with findings, patients, hospitals and times.

    python -m examples.medical                                              made-up scans
    python -m examples.medical --next-day                                   one day more of them
    python -m examples.medical --folder var/pneumonia/images --npz FILE     PneumoniaMNIST, a file of MedMNIST

The made-up ones come as five days: two bright lungs, and in some a spot or two. A patient has up to three; some come
again on a later day; on each day one scan is a copy of an older one, and one is cut short. Of a MedMNIST file (Yang et
al., 2023) pictures to train and to validate on are days of a thousand, and the test pictures are the newest day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from examples.by_day import DAYS_AT_FIRST, FIRST_DAY, ROWS_TOGETHER, Days, parser, write
from examples.vision import Pictures, cut_short, day_of

SIDE = 32
PATIENTS_A_DAY = 110
MOST_SCANS = 3
SHARE_WITH = 0.4
COMES_AGAIN = 0.05
"""Share of a day's patients that were there before."""
DAYS = 6
HOSPITALS = {"north": (1.0, 0.0), "south": (0.8, 18.0)}
"""Contrast and brightness of their machines."""
NOISE = 14.0
SPOT, NONE = "spot", "none"
MEANING = ("normal", "pneumonia")
"""Of 0 and 1 in PneumoniaMNIST."""


class Patient(NamedTuple):
    """Who is looked at.

    Attributes:
        name: Always the same.
        hospital: Where.
        has_spot: Whether there is one in each scan.
        place: By which the lungs lie more to the right and down, pixels.
    """

    name: str
    hospital: str
    has_spot: bool
    place: tuple[float, float]


def made_up() -> Days:
    """Yield the days of made-up scans, always the same."""
    patients: list[Patient] = []
    copied: tuple[Patient, NDArray[np.uint8]] | None = None
    for number in range(DAYS):
        random = np.random.default_rng([number, 59])
        again = [patients[place] for place in random.permutation(len(patients))[: round(COMES_AGAIN * PATIENTS_A_DAY)]]
        new = [_patient(len(patients) + place, random) for place in range(PATIENTS_A_DAY - len(again))]
        patients += new
        seen = [each for each in (*new, *again) for _ in range(random.integers(1, MOST_SCANS + 1))]
        scans = [_scan(each, random) for each in seen]
        if copied is not None:
            seen[-1], scans[-1] = copied
        copied = seen[1], scans[1]  # the first one is cut short
        labels: list[str | None] = [SPOT if each.has_spot else NONE for each in seen]
        day = FIRST_DAY + timedelta(days=number)
        table = day_of(Pictures(np.stack(scans), labels), day)
        table = table.append_column("subject_id", pa.array([each.name for each in seen]))
        yield day, cut_short(table.append_column("source", pa.array([each.hospital for each in seen])))


def _patient(number: int, random: np.random.Generator) -> Patient:
    hospital = list(HOSPITALS)[int(random.integers(len(HOSPITALS)))]
    down, right = random.normal(0, 1, 2).tolist()
    return Patient(f"p{number:05}", hospital, bool(random.random() < SHARE_WITH), (down, right))


def _scan(patient: Patient, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw two lungs, dark in a grey body, and what is in them; uint8, (SIDE, SIDE)."""
    row, column = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    down, right = patient.place
    middle = SIDE / 2
    lungs = [(middle + down, middle + right + side * SIDE / 5) for side in (-1, 1)]
    seen = np.full((SIDE, SIDE), 120.0)
    for y, x in lungs:
        inside = ((row - y) / (SIDE / 3)) ** 2 + ((column - x) / (SIDE / 7)) ** 2
        seen -= 70 / (1 + np.exp(12 * (inside - 1)))
    if patient.has_spot:
        for _ in range(int(random.integers(1, 3))):
            y, x = lungs[int(random.integers(2))]
            y, x = y + random.normal(0, SIDE / 10), x + random.normal(0, SIDE / 24)
            width, height = random.uniform(1.2, 2.4), random.uniform(30, 65)
            seen += height * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * width**2))
    contrast, brightness = HOSPITALS[patient.hospital]
    return np.clip(contrast * seen + brightness + random.normal(0, NOISE, seen.shape), 0, 255).astype(np.uint8)


def of_npz_file(file: Path, labels: Sequence[str]) -> Days:
    """Yield the days of a MedMNIST file: pictures to train and validate on by the thousand, then all test pictures.

    Args:
        file: With arrays ``train_images``, ``train_labels``, and those of ``val`` and ``test``.
        labels: What 0 and 1 mean in it.

    Raises:
        ValueError: It is none, or has other labels than 0 and 1.
    """
    try:
        with np.load(file, allow_pickle=False) as found:
            kinds = {kind: (found[f"{kind}_images"], found[f"{kind}_labels"]) for kind in ("train", "val", "test")}
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{file} is no MedMNIST file: {error}.") from error
    pixels, numbers = (np.concatenate(each) for each in zip(kinds["train"], kinds["val"], strict=True))
    if unknown := {int(number) for _, told in kinds.values() for number in told.ravel()} - {0, 1}:
        raise ValueError(f"{file} has labels {sorted(unknown)}, wanted are 0 and 1.")
    days = range(0, len(pixels), ROWS_TOGETHER)
    for number, start in enumerate(days):
        own, day = slice(start, start + ROWS_TOGETHER), FIRST_DAY + timedelta(days=number)
        yield day, day_of(_labelled(pixels[own], numbers[own], labels), day)
    newest = FIRST_DAY + timedelta(days=len(days))
    yield newest, day_of(_labelled(*kinds["test"], labels), newest)


def _labelled(pixels: NDArray[np.uint8], numbers: NDArray[np.integer], labels: Sequence[str]) -> Pictures:
    return Pictures(pixels, [labels[int(number)] for number in numbers.ravel()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the days that are not there yet, and say so.

    Raises:
        SystemExit: The command line is wrong, or the file is; the message says how.
    """
    asked = parser("medical", "scans with findings, patients, hospitals and times", "var/scans/images")
    asked.add_argument("--npz", type=Path, help="a MedMNIST file of yes or no; made-up scans when left out")
    asked.add_argument("--labels", nargs=2, default=MEANING, help="what 0 and 1 mean in it (default: %(default)s)")
    options = asked.parse_args(arguments)
    days, at_first = (of_npz_file(options.npz, options.labels), None) if options.npz else (made_up(), DAYS_AT_FIRST)
    write(days, options, at_first, "scans")


if __name__ == "__main__":
    main()
