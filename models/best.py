"""The weights of the best epoch leave a training: the first process writes them, and of tables each its own rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import distributed

from data_contracts.bundle import FORMAT, TRAINING
from data_contracts.job import CHECKPOINT, FitJob
from data_contracts.manifest import publish
from models.checkpoints import Checkpoints
from models.distributed.saved import splits_of
from models.layered import LayeredModule
from models.trainer import rank
from models.use_case import UseCase


def write_best(
    parts: UseCase, module: LayeredModule, checkpoints: Checkpoints, job: FitJob, device: torch.device
) -> Path:
    """Write the weights beside where they belong; the first process seals and renames them when all have written.

    Every process calls this where each may have some rows of a table, or else the first one.

    Args:
        parts: The use case.
        module: As its layers are made, whole but for rows of other processes; its weights are overwritten.
        checkpoints: Of the training.
        job: Says where, and under which settings.
        device: That the processes meet on, where each has some rows.

    Returns:
        Where the weights are.
    """
    folder = Path(job.run_folder)
    staged, is_first, splits = folder / f".{CHECKPOINT}.staged", rank() == 0, splits_of(module, device)
    if is_first:
        shutil.rmtree(staged, ignore_errors=True)
    if splits:
        module.to(device)
        distributed.barrier()
    elif not is_first:
        return folder / CHECKPOINT
    checkpoints.load_best(dict(module.named_parameters()), splits)
    parts.save(module, staged)
    if splits:
        distributed.barrier()
    if is_first:
        _write_settings(parts, job, staged)
        publish(staged, folder / CHECKPOINT, "weights")
    return folder / CHECKPOINT


def _write_settings(parts: UseCase, job: FitJob, folder: Path) -> None:
    """Write under which settings weights were trained, for people and for the next training.

    A use case that decides some of them while it trains has written them itself.
    """
    if not (folder / TRAINING).exists():
        model = parts.config.model_validate(job.config).model_dump(mode="json")
        told = {"format": FORMAT, "model": model, "features": job.features}
        (folder / TRAINING).write_text(json.dumps(told, indent=2), encoding="utf-8")
