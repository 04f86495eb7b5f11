"""Tables of made-up pictures, one kind of which is looked for, and jobs on them."""

from __future__ import annotations

from pathlib import Path

import torch

from data_contracts.job import Config
from data_contracts.manifest import seal
from models.medical.config import MedicalConfig
from models.medical.scorer import CHOSEN, Reading
from models.vision.weights import Weights, new_network, save
from tests.data_contracts.vision.made_up import LABELS
from tests.models.vision import tables

ALL = tuple(sorted(LABELS))
FINDING = ALL[1]
FEATURES = tables.FEATURES
CONFIG: Config = {**tables.CONFIG, "finding": FINDING}


def write_weights(folder: Path, *, seed: int = 0, **reading: object) -> Path:
    """Write fresh weights, and how they are read; another seed gives other ones."""
    config = MedicalConfig.model_validate(CONFIG)
    torch.manual_seed(seed)
    save(Weights(new_network(config.network, "grey", ALL), config, FEATURES, ALL, "medical"), folder)
    chosen = Reading.model_validate({"finding": FINDING} | reading)
    (folder / CHOSEN).write_text(chosen.model_dump_json(), encoding="utf-8")
    seal(folder)
    return folder
