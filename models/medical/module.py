"""The LightningModule of medical: that of vision, under settings of its own."""

from __future__ import annotations

from typing import Self

from data_contracts.job import FitJob
from models.medical.config import MedicalConfig
from models.medical.scorer import refuse_unknown
from models.vision.module import VisionModule


class MedicalModule(VisionModule):
    """Trains a network to tell pictures with a finding from others."""

    settings = MedicalConfig
    job: FitJob

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """See `VisionModule.of`; an error that training would end in comes first.

        Raises:
            ValueError: No class is called as what is looked for.
        """
        made = super().of(job)
        refuse_unknown(made.weights.labels, MedicalConfig.model_validate(job.config).finding)
        made.job = job
        return made
