"""What every use case trains: a network of layers, and a loss that is this process's part of a sum.

A way of splitting (`models.distributed`) needs no more than this: it may cut `layers` anywhere, give each process any
rows of a batch, and add what comes out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, runtime_checkable

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import MeanMetric
from typing_extensions import TypeVar

from models.network import LayeredNetwork
from models.rows.table import Rows


class Targets(Protocol):
    """What is to be predicted for some rows of a global batch."""

    total: int
    """Targets in the whole global batch, over all processes."""

    def split(self, parts: int) -> Sequence[Self]:
        """Cut into ``parts`` of equally many rows, in order; ``total`` stays that of the whole."""
        ...


IDLE = -1
"""Step of a batch that nothing is learned from: others have taken all that were left."""

Own_co = TypeVar("Own_co", bound=Targets, default=Targets, covariant=True)


@dataclass
class Batch(Generic[Own_co]):
    """One process's share of a global batch.

    Attributes:
        inputs: Rows first.
        targets: One part a row of ``inputs``.
        examples: Rows in the global batch, over all processes together.
        rows: Numbers of this share's examples among all: what the ledger counts.
        origin: Where this share is from, for who looks for what is wrong with it.
        step: Of the training, from 0, that learns from it; `IDLE` where none does.
    """

    inputs: Tensor
    targets: Own_co
    examples: int
    rows: NDArray[np.int64]
    origin: str
    step: int = 0

    def split(self, parts: int) -> list[Self]:
        """Cut into ``parts`` of about equally many rows; what is said of the whole stays."""
        pieces = zip(self.inputs.tensor_split(parts), self.targets.split(parts), strict=True)
        return [replace(self, inputs=inputs, targets=targets) for inputs, targets in pieces]


@runtime_checkable
class Loader(Protocol):
    """One process's shares of an epoch's global batches; Lightning saves with its state how far it was handed out."""

    @property
    def examples(self) -> int:
        """Return how many the epoch has, over all processes together."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Batch]: ...
    def state_dict(self) -> dict[str, int]:
        """Return how far it was handed out."""
        ...

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        ...


class LayeredModule(pl.LightningModule):
    """Trains a `LayeredNetwork`.

    Args:
        network: Of one process that has all of it; a way of splitting may leave each only some layers.
        monitor: Name of the validation metric.
        sign: 1 where more of it is better, -1 where less is.
    """

    def __init__(self, network: LayeredNetwork, monitor: str, *, sign: int = 1) -> None:
        super().__init__()
        self.network = network
        self.monitor = monitor
        self.sign = sign
        # A metric of its own: `log` of plain numbers rounds the sum of batch sizes over processes to whole numbers.
        self.validation = MeanMetric()
        self._held: list[Rows] = []

    @abstractmethod
    def loss(self, output: Tensor, targets: Any) -> Tensor:  # noqa: ANN401, a use case has its own
        """Return the sum of the rows' losses over ``targets.total``: what all processes return adds up to the mean.

        Args:
            output: Of the last layer.
            targets: The use case's own `Targets`.
        """

    @abstractmethod
    def quality(self, output: Tensor, batch: Any) -> Tensor:  # noqa: ANN401
        """Return the validation metric of every row that counts, (rows,).

        Args:
            output: Of the last layer.
            batch: The use case's own `Batch`.
        """

    def reads(
        self,
        batch: Any,  # noqa: ANN401, ARG002
        *,
        first: bool,  # noqa: ARG002
        last: bool,  # noqa: ARG002
        learns: bool,  # noqa: ARG002
    ) -> Iterable[tuple[Rows, Tensor | None]]:
        """Return the tables of rows that a step reads, and of each the numbers that it reads there, None for all.

        Args:
            batch: The use case's own `Batch`.
            first: Whether this process has the first layer.
            last: Whether it has the last one, and so the loss, or the validation metric.
            learns: Whether it is the loss.
        """
        return ()

    def hold(self, batch: Batch, *, first: bool = True, last: bool = True, learns: bool = True) -> None:
        """Begin a step on a batch, see `Rows.hold`; `release` ends it."""
        self._held = []
        for rows, number in self.reads(batch, first=first, last=last, learns=learns):
            rows.step = batch.step if learns else None
            rows.hold(number)
            self._held.append(rows)

    def release(self, travels: str = "float32", *, together: bool = True) -> None:
        """End a step for the tables that it has read; see `Rows.release`."""
        for rows in self._held:
            rows.release(travels, together=together)
        self._held = []

    def assist(self) -> None:
        """Do what `quality` needs of a process that has no states to judge; nothing, where it asks only its own."""

    def let_go(self) -> None:
        """End a step that has learned nothing."""
        for rows in self._held:
            rows.let_go()
        self._held = []

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return this process's part of the loss."""
        return self.loss(self.network(batch.inputs), batch.targets)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Judge this process's rows."""
        self.judged(self.quality(self.network(batch.inputs), batch))

    def judged(self, quality_B: Tensor) -> None:
        """Count the metric of some rows, none where others count them."""
        self.validation.update(quality_B)

    def on_validation_epoch_end(self) -> None:
        """Log the metric over all rows and processes, once."""
        self.log(self.monitor, self.validation)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Leave a batch on the CPU, where it is made: Lightning takes half a millisecond to find its tensors."""
        if device.type == "cpu":
            return batch
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved
