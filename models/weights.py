"""Weights that were saved: put into a network, where all of them fit or none is taken; and shipped."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

TENSORS, RECORD = "model.safetensors", "model.json"
"""Files of weights: the tensors, and what answering needs to know of them."""


class WeightsError(ValueError):
    """Weights do not fit the network they are meant for."""


def copy_rows(
    own: Mapping[str, Tensor],
    saved: Mapping[str, Tensor],
    rows: Mapping[str, int],
    folder: Path,
    problems: Sequence[str] = (),
) -> None:
    """Overwrite a network's tensors with those that were saved.

    Args:
        own: The network's, by name.
        saved: The same names, of the same shapes.
        rows: Name of a tensor to how many rows of it were saved; those after them stay as they are.
        folder: Where they were saved, for people.
        problems: What else does not fit.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape; all are listed.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
    wanted |= {name: (count, *wanted[name][1:]) for name, count in rows.items()}
    seen = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    differ = sorted(name for name in seen.keys() | wanted.keys() if seen.get(name) != wanted.get(name))
    found = [
        *(f"{name}: {seen.get(name, 'missing')}, wanted {wanted.get(name, 'none')}" for name in differ),
        *problems,
    ]
    if found:
        raise WeightsError(
            f"weights in {folder} do not fit the network, {len(found):,} differences:\n  - "
            + "\n  - ".join(found)
            + "\nStart from nothing (train.warm_start: false), or take the network settings they were trained under."
        )
    with torch.no_grad():
        for name, tensor in saved.items():
            own[name][: tensor.shape[0]].copy_(tensor)


def ship(source: Path, folder: Path, *more: str) -> None:
    """Copy weights, and what is to be known of them; and files of a use case's own."""
    for name in (TENSORS, RECORD, *more):
        shutil.copyfile(source / name, folder / name)
