"""The weights of the best epoch leave a training: the first process writes them, and of tables each its own rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import distributed

from data_contracts.job import CHECKPOINT
from data_contracts.manifest import publish
from models.checkpoints import Checkpoints
from models.distributed.saved import splits_of
from models.layered import LayeredModule
from models.trainer import rank
from models.use_case import UseCase


def write_best(
    parts: UseCase, module: LayeredModule, checkpoints: Checkpoints, folder: Path, device: torch.device
) -> Path:
    """Write the weights beside where they belong; the first process seals and renames them when all have written.

    Every process calls this where each may have some rows of a table, or else the first one.

    Args:
        parts: The use case.
        module: As its layers are made, whole but for rows of other processes; its weights are overwritten.
        checkpoints: Of the training.
        folder: Of it.
        device: That the processes meet on, where each has some rows.

    Returns:
        Where the weights are.
    """
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
        publish(staged, folder / CHECKPOINT, "weights")
    return folder / CHECKPOINT
