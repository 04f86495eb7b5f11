"""What is shipped: everything that answering needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from data_contracts.job import PublishJob
from models.medical.scorer import CHOSEN
from models.vision import bundle


def write_bundle(job: PublishJob, folder: Path) -> None:
    """Copy the weights, and how they are read, into ``folder``."""
    bundle.write_bundle(job, folder)
    shutil.copyfile(Path(job.checkpoint) / CHOSEN, folder / CHOSEN)
