"""A network that says how likely a finding is, and what was chosen for it on validating pictures.

Shape letters: B pictures, H height, W width, C classes, S rows and columns of a map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import BaseModel, NonNegativeInt, PositiveFloat
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from data_contracts.medical.requests import MAP_SIDE
from data_contracts.vision.pictures import Pixels
from models.calibration import Calibration
from models.medical.config import Band
from models.metrics import Floats
from models.vision.predictor import IMAGES_AT_ONCE
from models.vision.weights import Ready, load

CHOSEN = "reading.json"


class Reading(BaseModel, frozen=True, extra="ignore"):
    """How the network's numbers are read; what ``reading.json`` says.

    Attributes:
        finding: Label that is looked for.
        scale: Of the network's log-odds,
        offset: and what is added to them, see `models.calibration`.
        threshold: Calibrated log-odds from which on an answer says yes.
        abstains: Probabilities with which it says neither yes nor no.
        pictures: Validating ones by which ``scale``, ``offset`` and ``threshold`` were chosen; 0: they were not.
    """

    finding: str
    scale: PositiveFloat = 1.0
    offset: float = 0.0
    threshold: float = 0.0
    abstains: Band | None = None
    pictures: NonNegativeInt = 0


class Scorer:
    """Calibrated log-odds of a finding. Read-only once made.

    Args:
        ready: A network that answers, and what is to be known of it.
        reading: How its numbers are read.

    Raises:
        ValueError: It does not know the finding.
    """

    def __init__(self, ready: Ready, reading: Reading) -> None:
        self.network, self.record = ready
        self.reading, labels = reading, self.record.labels
        refuse_unknown(labels, reading.finding)
        self._finding = labels.index(reading.finding)
        self._calibration = Calibration(reading.scale, reading.offset)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: A file is not there.
        """
        return cls(load(folder), Reading.model_validate_json((folder / CHOSEN).read_text(encoding="utf-8")))

    @property
    def threshold(self) -> float:
        """See `Reading`."""
        return self.reading.threshold

    @torch.inference_mode()
    def log_odds(self, pixels_BHWC: Pixels) -> Floats:
        """Return calibrated log-odds of the finding, (B,), for uint8 (B, H, W, channels)."""
        pieces = torch.split(torch.from_numpy(np.array(pixels_BHWC)), IMAGES_AT_ONCE)
        found = [self._log_odds(piece).double().numpy() for piece in pieces]
        return self._calibration(np.concatenate([np.empty(0), *found]))

    def saliency(self, pixels_BHWC: Pixels) -> Floats:
        """Return how much log-odds hang on each place, 0 to 1, (B, S, S): the steepest place of a picture has 1.

        Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", ICLR 2014, workshop.
        """
        side = min(MAP_SIDE, self.record.size)
        slopes = [self._slopes(piece) for piece in torch.split(torch.from_numpy(np.array(pixels_BHWC)), IMAGES_AT_ONCE)]
        slope_BSS = adaptive_avg_pool2d(torch.cat(slopes), side).double()
        most_B11 = slope_BSS.amax(dim=(1, 2), keepdim=True)
        found: Floats = (slope_BSS / most_B11.clamp(min=torch.finfo(torch.float64).tiny)).numpy()
        return found

    def _slopes(self, pixels_BHWC: Tensor) -> Tensor:
        with torch.enable_grad():
            seen_BHWC = pixels_BHWC.float().requires_grad_()
            (slope_BHWC,) = torch.autograd.grad(self._log_odds(seen_BHWC).sum(), seen_BHWC)
        return slope_BHWC.abs().amax(dim=3)

    def _log_odds(self, pixels_BHWC: Tensor) -> Tensor:
        logit_BC = self.network(pixels_BHWC)
        others = [number for number in range(logit_BC.shape[1]) if number != self._finding]
        found: Tensor = logit_BC[:, self._finding] - logit_BC[:, others].logsumexp(dim=1)
        return found


def refuse_unknown(labels: tuple[str, ...], finding: str) -> None:
    """Refuse to look for what no class is called, or what all pictures are.

    Raises:
        ValueError: See there.
    """
    if finding not in labels or len(labels) == 1:
        raise ValueError(
            f"model.finding is {finding!r}, and the labels are {', '.join(map(repr, labels))}: wanted is one of two or "
            "more. Set model.finding."
        )
