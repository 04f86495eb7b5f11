"""The LightningModule of speech: loss, validation metric, optimiser.

Letters: B rows, T frames, M bands, L places, S characters of the longest text, V symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import ctc_loss

from data_contracts.job import FitJob
from models import layered
from models.language.reading import symbols
from models.layered import LayeredModule
from models.networks.optimizer import adamw
from models.speech.config import SpeechConfig
from models.speech.decoding import BLANK
from models.speech.network import SpeechNetwork
from models.speech.reading import words
from models.speech.weights import Weights, copy_into, new_network, record_of


@dataclass
class Targets:
    """What is to be written.

    Attributes:
        symbol_BS: int64; `BLANK` behind the end of a text.
        size_B: int64: characters of each text; 0 of rows that are only padding.
        place_B: int64: places of each recording; 1 of rows that are only padding.
        total: Characters in the global batch, whose share of this process these are.
    """

    symbol_BS: Tensor
    size_B: Tensor
    place_B: Tensor
    total: int

    def split(self, parts: int) -> list[Targets]:
        """Cut into ``parts`` of about equally many rows."""
        symbols, sizes, places = (each.tensor_split(parts) for each in (self.symbol_BS, self.size_B, self.place_B))
        return [Targets(*own, total=self.total) for own in zip(symbols, sizes, places, strict=True)]


Batch = layered.Batch[Targets]
"""Frames, float32 (B, T, M)."""


class SpeechModule(LayeredModule):
    """Trains `SpeechNetwork`.

    Args:
        weights: The network to train, and what it is trained under.
    """

    network: SpeechNetwork

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights.network.train(), "validation/nats_a_character", sign=-1)
        self.weights = weights

    @classmethod
    def of(cls, job: FitJob) -> Self:
        """Make the module of a job, with fresh weights or those that it starts from.

        Raises:
            WeightsError: The weights to start from do not fit.
        """
        config, known = SpeechConfig.model_validate(job.config), symbols(job.tables, job.known_windows)
        torch.manual_seed(config.fit.seed)
        record = record_of(config, job.features, known, words(job.tables, job.known_windows))
        network = new_network(record)
        if job.warm_start is not None:
            copy_into(network, Path(job.warm_start), record)
        return cls(Weights(network, config, record))

    def loss(self, logit_BLV: Tensor, targets: Targets) -> Tensor:
        """Return this process's part of the mean loss of a character."""
        return _nats(logit_BLV, targets).sum() / targets.total

    def quality(self, logit_BLV: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss of a character of each row."""
        size_B = batch.targets.size_B
        return _nats(logit_BLV, batch.targets) / size_B[size_B > 0]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW; its rate rises over the first steps, and falls like a cosine to the end of the last epoch."""
        examples = len(self.trainer.datamodule.training)  # type: ignore[attr-defined]  # set by Trainer.fit
        return adamw(list(self.network.parameters()), self.weights.config, examples)


def _nats(logit_BLV: Tensor, targets: Targets) -> Tensor:
    """Return the loss of each row that says something, (rows,).

    Source:
        Graves et al., "Connectionist temporal classification", ICML 2006.
    """
    counts_B = targets.size_B > 0
    chance_LBV = logit_BLV[counts_B].log_softmax(dim=-1).transpose(0, 1)
    wanted = (targets.symbol_BS[counts_B], targets.place_B[counts_B], targets.size_B[counts_B])
    if not counts_B.any():
        return logit_BLV.flatten(1).sum(dim=1)[counts_B]
    return ctc_loss(chance_LBV, *wanted, blank=BLANK, reduction="none", zero_infinity=True)
