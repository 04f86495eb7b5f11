"""The LightningModule: loss, validation metric, optimiser. Shape letters: B rows, L positions, D width, M targets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from data_contracts.job import Config, FitJob
from models import layered
from models.distributed.tables import rows_of_process
from models.layered import LayeredModule
from models.recommender.config import FULL_UP_TO, RecommenderConfig, SampledSoftmax
from models.recommender.counts import item_counts
from models.recommender.losses import NegativeSampler, full_softmax, sampled_softmax
from models.recommender.network import SequenceNetwork
from models.recommender.weights import Weights, copy_into, new_network
from models.rows.optimizer import RowwiseAdagradAndAdamW
from models.rows.ranking import Hidden
from models.rows.table import Rows

logger = logging.getLogger(__name__)

MONITOR = "validation/ndcg_at_10"
LIST_LENGTH = 10


@dataclass
class Targets:
    """What is to be predicted.

    Attributes:
        item_BL: int64; 0 where nothing is.
        total: Targets in the global batch, whose share of this process is ``item_BL``.
        step: Of the training, from 0; decides which negatives are drawn.
    """

    item_BL: Tensor
    total: int
    step: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts`` of equally many rows."""
        return [Targets(item_BL, self.total, self.step) for item_BL in self.item_BL.tensor_split(parts)]


Batch = layered.Batch[Targets]
"""What was met, int64 (B, L, 2), see `models.recommender.network`; targets stand one step ahead of it."""


class RecommenderModule(LayeredModule):
    """Trains `SequenceNetwork`.

    Args:
        weights: The network to train, and what it is trained under.
        item_counts: Events of each item in the windows that the model may know, (N + 1,).
    """

    network: SequenceNetwork

    def __init__(self, weights: Weights, item_counts: NDArray[np.int64]) -> None:
        super().__init__(weights.network.train(), MONITOR)
        self.items = weights.network.items
        assert isinstance(weights.network.item, Rows), "rows on disk are not learned"
        self.item = weights.network.item
        self.config: RecommenderConfig = weights.config.with_loss_for(self.items)
        self.features: Config = weights.features
        self.negatives = (
            NegativeSampler(item_counts, self.config.loss, self.config.fit.seed)
            if isinstance(self.config.loss, SampledSoftmax)
            else None
        )

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from.

        Raises:
            WeightsError: The weights to start from are of another shape.
            ValueError: The loss does not go with the number of items, or with where their rows lie.
        """
        counts = item_counts(job.tables, job.known_windows)
        config = RecommenderConfig.model_validate(job.config)
        config = config.with_loss_for(len(counts) - 1, sharded=job.parallelism.rows != "local")
        torch.manual_seed(config.fit.seed)
        network = new_network(len(counts) - 1, config, job.features, rows_of_process(job.parallelism))
        if job.warm_start is not None:
            copy_into(network, Path(job.warm_start))
        return cls(Weights(network, config, job.features), counts)

    def weights(self) -> Weights:
        """Return what `models.recommender.weights.save` writes."""
        return Weights(self.network, self.config, self.features)

    def on_fit_start(self) -> None:
        """Say, and keep on the run, which loss was taken."""
        if self.logger is None or self.config.loss is None:
            return
        taken = self.config.loss.model_dump(mode="json")
        self.logger.log_hyperparams({f"model.loss.{name}": value for name, value in taken.items()})
        logger.info(
            "loss: %s over %s items (up to %s full_softmax, if model.loss does not say)",
            self.config.loss.kind, f"{self.items:,}", f"{FULL_UP_TO:,}",
        )  # fmt: skip

    def loss(self, state_BLD: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the global batch's mean loss; parts of all processes add up to it."""
        is_target_BL = targets.item_BL != 0
        state_MD, target_M = state_BLD[is_target_BL], targets.item_BL[is_target_BL]
        if self.negatives is None:
            total = full_softmax(self.item, state_MD, target_M)
        else:
            negative_K, log_expected_K = (drawn.to(state_MD.device) for drawn in self.negatives.draw(targets.step))
            total = sampled_softmax(self.item, state_MD, target_M, negative_K, log_expected_K)
        return total / targets.total

    def reads(self, batch: Batch, *, first: bool, last: bool, learns: bool) -> Iterator[tuple[Rows, Tensor | None]]:
        """See `LayeredModule.reads`: items of the inputs, and for the loss targets and negatives, or all there are."""
        if last and learns and self.negatives is None:
            yield self.item, None
            return
        numbers = [batch.inputs.new_zeros(1)]
        if first:
            numbers.append(batch.inputs[..., 0].flatten())
        if last:
            numbers.append(batch.targets.item_BL.flatten())
        if last and learns and self.negatives is not None:
            numbers.append(self.negatives.draw(batch.targets.step)[0].to(batch.inputs.device))
        yield self.item, torch.cat(numbers)

    def quality(self, state_BLD: Tensor, batch: Batch) -> Tensor:
        """Return NDCG@10 of each row that has targets, averaged over them."""
        row_M, position_M = batch.targets.item_BL.nonzero(as_tuple=True)
        state_MD, target_M = state_BLD[row_M, position_M], batch.targets.item_BL[row_M, position_M]
        gain_M = self.gains(state_MD, target_M, batch.inputs[row_M, :, 0], position_M)
        targets_B = row_M.bincount(minlength=len(batch.inputs))
        gain_B = gain_M.new_zeros(len(batch.inputs)).index_add(0, row_M, gain_M) / targets_B
        return gain_B[targets_B > 0]

    def assist(self) -> None:
        """Take part in ranking rows for other processes, with no states of its own."""
        if not self.item.whole:
            self.item.assist()

    def gains(self, state_MD: Tensor, target_M: Tensor, item_ML: Tensor, position_M: Tensor) -> Tensor:
        """Score every target by its rank among all items but those seen, ties at half rank.

        Args:
            state_MD: What the network knew when each target came.
            target_M: int64.
            item_ML: The items of each target's row, int64, 0 = padding.
            position_M: The last input before the target; what comes later was not seen yet.

        Returns:
            NDCG@10 of each target, float (M,); NaN where the network gave no number.
        """
        place_L = torch.arange(item_ML.shape[1], device=item_ML.device)
        is_seen_ML = (place_L <= position_M[:, None]) & self.config.exclude_seen
        hidden = Hidden(is_seen_ML.nonzero()[:, 0], item_ML[is_seen_ML])
        rank_M = self.item.ranks(state_MD, target_M, hidden)
        gain_M: Tensor = ((rank_M < LIST_LENGTH) / torch.log2(rank_M + 2)).float()  # as the metric adds them up
        return gain_M

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser, and the learning rate's rise over the first steps."""
        others = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        told = self.config.optimizer
        optimizer = RowwiseAdagradAndAdamW(
            [self.item.weight],
            others,
            rate=told.learning_rate,
            decay=told.weight_decay,
            row_rate=told.row_learning_rate,
        )
        rise = max(self.config.fit.warm_up_steps, 1)
        schedule = LambdaLR(optimizer, lambda step: min((step + 1) / rise, 1.0))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning_rate"},
        }
