"""A table's rows on disk, a file of each process that had some: mapped into memory, so that nobody holds them whole.

::

    rows-00001-of-00003.safetensors    the first rows, under the table's name; metadata: ``first``, number of the first
    rows-00002-of-00003.safetensors    ...

Mapped files are memory of the system, which takes it back, and not of the process. Shape letters: N rows, R rows of a
file, D width.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.rows.shard import Shard
from models.rows.table import Rows
from models.weights import WeightsError

FIRST = "first"
PATTERN = "rows-*-of-*.safetensors"
NUMBERS_AT_ONCE = 2**22
"""Numbers of a block: 16 MiB, where they are not float32 and have to be copied."""
_KINDS: dict[str, np.dtype[np.floating[Any]]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


class _Part(NamedTuple):
    """Rows of one file, mapped."""

    first: int
    row_RD: Tensor

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.row_RD))


class RowsOnDisk(nn.Module):
    """A table that nobody learns; layers call it for rows by number, as they call `models.rows.table.Rows`.

    Args:
        folder: Of the files.
        name: Of the table in them.
        count: N.
        width: D.
        files: How many there are.

    Raises:
        WeightsError: They do not hold each row once; the message lists every file that is missing or wrong.
    """

    def __init__(self, folder: Path, name: str, *, count: int, width: int, files: int) -> None:
        super().__init__()
        self.count, self.width = count, width
        self._parts = _parts(folder, name, (count, width), files)

    def forward(self, number: Tensor) -> Tensor:
        """Return float32 (..., D) for numbers int64 (...)."""
        found = torch.empty(*number.shape, self.width)
        for first, row_RD in self._parts:
            inside = (number >= first) & (number < first + len(row_RD))
            found[inside] = row_RD[number[inside] - first].float()
        return found

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """Yield all rows in blocks: the number of the first, and float32 (R, D)."""
        rows = max(NUMBERS_AT_ONCE // self.width, 1)
        for first, row_RD in self._parts:
            for start in range(0, len(row_RD), rows):
                yield first + start, row_RD[start : start + rows].float()

    def between(self, start: int, stop: int | None) -> Tensor:
        """Return rows ``start``…``stop`` - 1, those that there are, as they were written; to the end when None."""
        end = self.count if stop is None else stop
        return torch.cat([row_RD[max(start - first, 0) : max(end - first, 0)] for first, row_RD in self._parts])


Table = Rows | RowsOnDisk
"""Rows to learn, or on disk, where a network only answers."""


def write_own(rows: Rows, name: str, folder: Path) -> None:
    """Write the rows that this process has into a file of its own in ``folder``; all processes do."""
    own = {name: rows.weight.detach().cpu().contiguous()}
    save_file(own, folder / file_name(rows.shard), metadata={FIRST: str(rows.own.start)})


def file_name(shard: Shard) -> str:
    """Return what the file with a shard's rows is called."""
    return f"rows-{shard.rank + 1:05}-of-{shard.world:05}.safetensors"


def _parts(folder: Path, name: str, shape: tuple[int, int], files: int) -> Sequence[_Part]:
    wanted = {file_name(shard): shard for shard in (Shard(rank, files) for rank in range(files))}
    seen = {path.name for path in folder.glob(PATTERN)}
    problems = dict.fromkeys(wanted.keys() - seen, "missing")
    problems |= dict.fromkeys(seen - wanted.keys(), f"not one of the {files:,} files that are wanted")
    parts = []
    for each in sorted(wanted.keys() & seen):
        try:
            part = _mapped(folder / each, name)
        except (SafetensorError, OSError, KeyError) as error:
            problems[each] = f"{type(error).__name__}: {error}"
            continue
        own = wanted[each].own(shape[0])
        if (part.numbers, part.row_RD.shape[1]) != (own, shape[1]):
            problems[each] = f"{_said(part.numbers, part.row_RD.shape[1])}, wanted {_said(own, shape[1])}"
        parts.append(part)
    if problems:
        listed = "\n  - ".join(f"{each}: {problems[each]}" for each in sorted(problems))
        raise WeightsError(
            f"{shape[0]:,} rows of {name!r} are wanted in {files:,} files in {folder}, {len(problems):,} are wrong:\n"
            f"  - {listed}\nFetch all files of these weights again, or train them anew."
        )
    return parts


def _said(numbers: range, width: int) -> str:
    return f"rows {numbers.start:,}…{numbers.stop - 1:,} of width {width:,}"


def _mapped(file: Path, name: str) -> _Part:
    """Map the one tensor of a file, which ends it.

    Raises:
        KeyError: It is not there, or of numbers that no table has, or its first row is not told.
        SafetensorError: The file is none of safetensors.
    """
    with safe_open(file, framework="numpy") as opened:
        (found,) = opened.keys()
        if found != name:
            raise KeyError(name)
        told = opened.get_slice(name)
        shape, kind, first = told.get_shape(), _KINDS[told.get_dtype()], int((opened.metadata() or {})[FIRST])
    begin = file.stat().st_size - kind.itemsize * int(np.prod(shape))
    mapped = np.memmap(file, kind, mode="r", offset=begin, shape=tuple(shape))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes there
        return _Part(first, torch.from_numpy(mapped))
