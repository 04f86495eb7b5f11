"""What a network must beat: the most frequent class, and a linear model.

Shape letters: B images, F numbers, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from data_contracts.vision.pictures import Pixels
from models.vision.metrics import Floats, Numbers

MOST_IMAGES = 20_000
"""That the linear model learns from."""
MOST_SIDE = 28
"""Height and width of what it looks at, pixels; larger pictures are averaged."""
ITERATIONS = 50
PENALTY = 1e-3
"""On half the square of the weights, beside the mean loss."""
_HALF = 255 / 2


class Majority:
    """Says of every image how frequent the classes are: the most frequent one is its answer.

    Args:
        count_C: Examples of each class, of which there is at least one.
    """

    def __init__(self, count_C: Numbers) -> None:
        self._share_C = count_C / count_C.sum()

    def probabilities(self, pixels_BHWC: Pixels) -> Floats:
        """Return the same for each, (B, C)."""
        return np.tile(self._share_C, (len(pixels_BHWC), 1))


class Logistic:
    """Multinomial logistic regression on pixels, always the same for the same images.

    Args:
        pieces: Pixels, uint8 (B, H, W, C), and the number of each one's class, (B,): some images after others.
        classes: How many there are; of one that no image shows it gives nearly nothing.

    Source:
        Nocedal, "Updating quasi-Newton matrices with limited storage", 1980 (L-BFGS), as `torch.optim.LBFGS`.
    """

    def __init__(self, pieces: Iterable[tuple[Pixels, Numbers]], classes: int) -> None:
        seen = [(_numbers(pixels_BHWC), torch.from_numpy(class_B)) for pixels_BHWC, class_B in pieces]
        number_BF, wanted_B = map(torch.cat, zip(*seen, strict=True))
        self._weight_FC = torch.zeros(number_BF.shape[1], classes, requires_grad=True)
        self._bias_C = torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [self._weight_FC, self._bias_C], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            mean = cross_entropy(number_BF @ self._weight_FC + self._bias_C, wanted_B)
            penalised: Tensor = mean + PENALTY / 2 * self._weight_FC.square().sum()
            torch.autograd.backward(penalised)
            return penalised

        optimizer.step(loss)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def probabilities(self, pixels_BHWC: Pixels) -> Floats:
        """Return one row an image, (B, C)."""
        logit_BC = _numbers(pixels_BHWC) @ self._weight_FC + self._bias_C
        found: Floats = logit_BC.double().softmax(dim=1).numpy()
        return found


def _numbers(pixels_BHWC: Pixels) -> Tensor:
    """Return what the linear model looks at, float (B, F), between -1 and 1."""
    picture_BCHW = torch.from_numpy(np.array(pixels_BHWC)).permute(0, 3, 1, 2)
    side = min(MOST_SIDE, picture_BCHW.shape[2])
    if side < picture_BCHW.shape[2]:
        picture_BCHW = adaptive_avg_pool2d(picture_BCHW.float(), side)
    return picture_BCHW.flatten(1).float() / _HALF - 1
