"""The LightningModule: cross-entropy is learned from, and validates. Shape letters: B rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.lr_scheduler import LambdaLR

from data_contracts.job import FitJob
from data_contracts.risk.examples import FEATURES
from data_contracts.risk.parties import EVERYBODY
from models import layered
from models.distributed.tables import rows_of_process
from models.layered import LayeredModule
from models.risk.config import RiskConfig
from models.risk.network import PARTIES, WideAndDeep, known, new_rows
from models.risk.rows import known_parties, own_numbers
from models.risk.split import learned_from
from models.risk.weights import copy_into
from models.rows.optimizer import RowwiseAdagradAndAdamW
from models.rows.table import Rows

MONITOR = "validation/log_loss"


@dataclass
class Targets:
    """Labels, float (B,); NaN in rows that are only padding."""

    label_B: Tensor
    total: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts``."""
        return [Targets(label_B, self.total) for label_B in self.label_B.tensor_split(parts)]


Batch = layered.Batch[Targets]
"""Numbers of parties and features, float (B, 2 + F)."""


class RiskModule(LayeredModule):
    """Trains `WideAndDeep`.

    Less log loss is better: a chance is wanted that can be counted on, not only an order.
    """

    network: WideAndDeep

    def __init__(self, network: WideAndDeep, config: RiskConfig) -> None:
        super().__init__(network.train(), MONITOR, sign=-1)
        assert isinstance(network.first.party, Rows), "rows on disk are not learned"
        self.party = network.first.party
        self.config = config

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from.

        Raises:
            WeightsError: The weights to start from are of another shape.
            ValueError: There is nothing to learn from.
        """
        config = RiskConfig.model_validate(job.config)
        torch.manual_seed(config.fit.seed)
        numbers, parties = own_numbers(job.tables), known_parties(job.tables, job.known_windows)
        make = rows_of_process(job.parallelism)
        party = new_rows(parties, config.network, decay=config.party_forgetting, make=make)
        network = WideAndDeep(len(FEATURES) + numbers, numbers, config.network, party)
        if job.warm_start is None:
            rows = learned_from(job, config.fit.seed)
            network.first.measure(torch.from_numpy(rows.inputs[:, PARTIES:].astype(np.float64)))
        else:
            copy_into(network, Path(job.warm_start))
        return cls(network, config)

    def loss(self, output: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the mean cross-entropy."""
        return _cross_entropy(output, targets).sum() / targets.total

    def reads(self, batch: Batch, *, first: bool, last: bool, learns: bool) -> Iterator[tuple[Rows, Tensor | None]]:  # noqa: ARG002
        """See `LayeredModule.reads`: parties of the inputs, and the row of who is not known."""
        nobody = torch.full((1,), EVERYBODY, device=batch.inputs.device)
        yield self.party, torch.cat([nobody, known(batch.inputs, self.party).flatten()]) if first else nobody

    def quality(self, output: Tensor, batch: Batch) -> Tensor:
        """Return the cross-entropy of each row."""
        return _cross_entropy(output, batch.targets)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, and the learning rate's rise over the first steps."""
        optimizer = RowwiseAdagradAndAdamW(
            [self.party.weight],
            [parameter for parameter in self.network.parameters() if parameter.requires_grad],
            rate=self.config.learning_rate,
            decay=self.config.weight_decay,
            row_rate=self.config.learning_rate,
            row_decay=self.party.decay,
        )
        rise = max(self.config.fit.warm_up_steps, 1)
        schedule = LambdaLR(optimizer, lambda step: min((step + 1) / rise, 1.0))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning_rate"},
        }


def _cross_entropy(log_odds_B: Tensor, targets: Targets) -> Tensor:
    there_B = ~targets.label_B.isnan()
    return binary_cross_entropy_with_logits(log_odds_B[there_B], targets.label_B[there_B], reduction="none")
