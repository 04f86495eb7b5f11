"""Tables of made-up pictures, as `preprocess` promises them, and jobs on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from data_contracts.job import Config, TablesAt
from data_contracts.manifest import seal
from data_contracts.table import Table
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.pictures import Pixels
from data_contracts.vision.twins import bands
from data_contracts.waiting import Waiting
from models.vision.config import VisionConfig
from models.vision.weights import Weights, new_network, save
from tests.data_contracts.vision.made_up import LABELS, bars
from tests.models import jobs

SIZE = 12
FEATURES: Config = {"size": SIZE, "channels": "grey"}
NETWORK: Config = {"widths": [8, 16], "groups": 4}
CONFIG: Config = {"network": NETWORK, "fit": {"batch_size": 24, "max_epochs": 3, "warm_up_steps": 5}}
OWN = {"use_case": "vision", "config": CONFIG, "features": FEATURES}
fit_job, evaluate_job = partial(jobs.fit_job, **OWN), partial(jobs.evaluate_job, **OWN)


Columns = Mapping[str, Sequence[str | None] | Pixels | None]
"""Column of `examples`, or ``pixels``, to values; None leaves it null."""


def write_tables(
    folder: Path,
    counts: Mapping[str, int],
    *,
    waiting: Waiting | None = None,
    new: str = "",
    more: Mapping[str, Columns] | None = None,
) -> TablesAt:
    """Commit so many pictures to each window; in the last one half of them are of a new class, if it is named.

    Args:
        folder: Of the tables.
        counts: Window to pictures.
        waiting: What the night counted.
        new: A class.
        more: Window to columns that its rows have instead.
    """
    classes, examples = Table(str(folder), CLASSES), Table(str(folder), EXAMPLES)
    labels = [*sorted(LABELS), *([new] if new else [])]
    first = [next(iter(counts))] * len(LABELS) + [list(counts)[-1]] * bool(new)
    numbered = {"label": labels, "class_number": list(range(len(labels))), "first_window": first}
    classes.commit(classes.write(pa.table(numbered), "part"), ["images@0"])
    parts = []
    for seed, (window, count) in enumerate(counts.items()):
        pixels, numbers = bars(count, size=SIZE, seed=seed)
        own = dict((more or {}).get(window, {}))
        pixels = own.pop("pixels", pixels)
        known = np.array([sorted(LABELS).index(LABELS[number]) for number in numbers])
        is_new = (np.arange(count) % 2 == 1) & bool(new) & (window == list(counts)[-1])
        rows = {
            "pixels": [each.tobytes() for each in pixels],
            "class_number": np.where(is_new, len(LABELS), known).astype(np.int32),
            "seen_at": [datetime.combine(date.fromisoformat(window), datetime.min.time(), UTC)] * count,
            "window": [window] * count,
            "bands": [bands(each).tolist() for each in pixels],
            **own,
        }
        rows = {name: column for name, column in rows.items() if column is not None}
        parts += examples.write(EXAMPLES.filled(pa.table(rows)), f"part-{seed}")
    examples.commit(parts, ["images@0"], marks=waiting.model_dump() if waiting else {})
    return TablesAt(folder=str(folder), versions={"images": 0, "classes": 0, "examples": 0})


def write_weights(folder: Path, *, labels: tuple[str, ...] = tuple(sorted(LABELS)), seed: int = 0) -> Path:
    """Write fresh weights; another seed gives other ones."""
    config = VisionConfig.model_validate(CONFIG)
    torch.manual_seed(seed)
    save(Weights(new_network(config.network, "grey", labels), config, FEATURES, labels), folder)
    seal(folder)
    return folder
