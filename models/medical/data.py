"""What medical learns from: what vision does, under settings of its own."""

from __future__ import annotations

from models.medical.config import MedicalConfig
from models.vision.data import VisionData


class MedicalData(VisionData):
    """See `VisionData`."""

    settings = MedicalConfig
