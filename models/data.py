"""What a training learns from and validates on, read once on each host, and handed to Lightning as batches."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pytorch_lightning as lightning

from data_contracts.job import FitJob
from models.batches import Batches, Examples, Numbers, shuffled
from models.distributed.strategy import GangStrategy
from models.fit_config import FitConfig
from models.host import once_per_host
from models.layered import Loader

logger = logging.getLogger(__name__)

Own = TypeVar("Own", bound=Examples)


class Data(lightning.LightningDataModule, Generic[Own]):
    """Examples to learn from and examples to validate on.

    Args:
        job: Names the tables, their versions and windows.
        fit: In what steps.
    """

    def __init__(self, job: FitJob, fit: FitConfig) -> None:
        super().__init__()
        self.job = job
        self.fit = fit

    @abstractmethod
    def read(self, folder: Path) -> None:
        """Read the examples of the job, and write them into ``folder``; done once on each host.

        Raises:
            ValueError: There is nothing to train on.
        """

    @abstractmethod
    def open(self, folder: Path) -> tuple[Own, Own]:
        """Map what was written into memory, to learn from and to validate on; the files may be gone afterwards."""

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Have the examples at hand.

        Raises:
            ValueError: See `read`.
        """
        self.training, self.validation = once_per_host(self.job.run_id, self.read, self.open)
        logger.info(
            "%s examples to learn from, %s to validate on", f"{len(self.training):,}", f"{len(self.validation):,}"
        )
        if not len(self.validation):
            logger.info("so nothing can stop early: all max_epochs are trained, and the last one's weights are taken")

    def train_dataloader(self) -> Loader:
        """Return one epoch; each has an order of its own."""
        epoch = self._trainer().current_epoch
        random = np.random.default_rng([self.fit.seed, epoch])
        order = shuffled(self.training.lengths(), self.fit.batch_size, random)
        steps = math.ceil(len(order) / self.fit.batch_size)
        strategy = self._strategy()
        share = strategy.training_share
        return strategy.hand_out(self._batches(self.training, order, share, first_step=epoch * steps))

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validating examples, those of one length together; nothing where there are none."""
        if not len(self.validation):
            return []
        order = np.argsort(self.validation.lengths(), kind="stable")
        return self._batches(self.validation, order, self._strategy().distributed_sampler_kwargs)

    def _batches(self, of: Examples, order: Numbers, share: Mapping[str, int], first_step: int = 0) -> Batches:
        strategy, size = self._strategy(), self.fit.batch_size
        return Batches(
            of,
            order,
            size,
            rank=share["rank"],
            world_size=share["num_replicas"],
            first_step=first_step,
            height=size // share["num_replicas"] if strategy.equal_shares else self.fit.accumulate,
            fixed=strategy.equal_shares,
        )

    def _strategy(self) -> GangStrategy:
        strategy = self._trainer().strategy
        assert isinstance(strategy, GangStrategy)
        return strategy

    def _trainer(self) -> lightning.Trainer:
        if self.trainer is None:
            raise RuntimeError("batches are shared between the processes of a trainer; none is attached.")
        return self.trainer
