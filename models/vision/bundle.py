"""Requests that vision is shipped with beside its weights (`models.vision.weights`): an example and golden ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_contracts.binary import in_json
from data_contracts.job import Config, PublishJob
from data_contracts.vision.pictures import NUMBERS, Pixels, png
from models.vision.reading import Form, batches
from models.vision.weights import load

EXAMPLE_SIDE = 32
"""Height and width of an example, pixels, at most: it stands in tags and on pages."""
GOLDEN_IMAGES = 6
"""Made-up pictures whose answers are kept."""


def example(job: PublishJob) -> Config:
    """Ask what one of the images shows, as the network sees it; a made-up one where the tables have none."""
    form = Form.of(job.features)
    there = (batch for batch in batches(job.tables, job.known_windows[::-1]) if batch.num_rows)
    found = next(there, None)
    pixels_HWC = _made_up(form.size, form.channels, seed=0) if found is None else form.pixels(found.slice(0, 1))[0]
    step = -(-form.size // EXAMPLE_SIDE)
    return {"image": in_json(png(np.ascontiguousarray(pixels_HWC[::step, ::step])))}


def golden_requests(folder: Path) -> list[dict[str, object]]:
    """Make up pictures of the size that the network looks at, and one of another; always the same."""
    record = load(folder).record
    sizes = [*([record.size] * (GOLDEN_IMAGES - 1)), 2 * record.size]
    numbers = NUMBERS[record.channels]
    return [{"image": png(_made_up(size, numbers, seed))} for seed, size in reversed(list(enumerate(sizes)))]


def _made_up(size: int, numbers: int, seed: int) -> Pixels:
    """Draw a few bright rectangles on black."""
    random = np.random.default_rng(seed)
    pixels_HWC = np.zeros((size, size, numbers), np.uint8)
    for _ in range(4):
        top, left = random.integers(0, size - 1, 2)
        height, width = random.integers(1, size, 2)
        pixels_HWC[top : top + height, left : left + width] = random.integers(64, 256, numbers)
    return pixels_HWC
