"""Weights of a network with a table of rows: these are with all other tensors, or in files of their own beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.rows.files import RowsOnDisk, Table, file_name, write_own
from models.rows.shard import Shard
from models.rows.table import Rows
from models.weights import copy_rows

TENSORS = "model.safetensors"


@dataclass(frozen=True)
class Saved:
    """Weights on disk.

    Attributes:
        folder: Of the files.
        name: Of the table.
        count: N, its rows.
        width: D.
        shards: Files that they are in; one where they are with the other tensors.
    """

    folder: Path
    name: str
    count: int
    width: int
    shards: int

    def on_disk(self) -> RowsOnDisk | None:
        """Map the table; None where it is with the other tensors.

        Raises:
            WeightsError: Its files do not hold each row once.
        """
        if self.shards == 1:
            return None
        return RowsOnDisk(self.folder, self.name, count=self.count, width=self.width, files=self.shards)


def files_of(shards: int) -> tuple[str, ...]:
    """Return the names of all files with tensors, where rows are in so many."""
    return (TENSORS, *(file_name(Shard(rank, shards)) for rank in range(shards if shards > 1 else 0)))


def save_tensors(own: Mapping[str, Tensor], rows: Rows, name: str, folder: Path) -> bool:
    """Write a network's tensors into ``folder``, which is made.

    Where each process has some of the rows, all call this: each writes its own, the first everything else.

    Args:
        own: The network's, by name, each once.
        rows: The table among them.
        name: Of it.
        folder: Where.

    Returns:
        Whether this is the first process, which writes what stands beside tensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not rows.whole:
        write_own(rows, name, folder)
    is_first = rows.shard.rank == 0
    if is_first:
        kept = {each: tensor for each, tensor in own.items() if rows.whole or each != name}
        save_file({each: tensor.detach().cpu().contiguous() for each, tensor in kept.items()}, folder / TENSORS)
    return is_first


def copy_saved(own: Mapping[str, Tensor], table: Table, saved: Saved) -> None:
    """Overwrite a network's tensors with those that were saved; rows that it has beyond them stay as they are.

    Args:
        own: The network's, by name, each once.
        table: Of rows among them, or one on disk, which stays there.
        saved: What was.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape; the message lists all of them.
    """
    name, rows = saved.name, {}
    with safe_open(saved.folder / TENSORS, framework="pt") as file:
        tensors = {each: file.get_tensor(each) for each in file.keys() if each != name}  # noqa: SIM118
        if isinstance(table, Rows):
            # Of many processes the last one takes what there is beyond, if that is too much.
            start, stop = table.own.start, None if table.own.stop == table.count else table.own.stop
            if (on_disk := saved.on_disk()) is not None:
                tensors[name] = on_disk.between(start, stop)
            elif name in file.keys():  # noqa: SIM118
                tensors[name] = file.get_slice(name)[start:stop]
            rows[name] = max(min(saved.count, table.count, table.own.stop) - start, 0)
        copy_rows(own, tensors, rows, saved.folder)
