"""An average over the steps so far, in which late ones count for more: how much follows from their number alone.

Source: the power function's average of Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion
Models", CVPR 2024, section 3.1.
"""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

GAMMA = 8
"""Step t counts as t to the power of this: an average is (1 / (GAMMA + 2)) of its steps old, a tenth."""

Steps = TypeVar("Steps", float, Tensor)


def kept(first: Steps, last: int) -> Steps:
    """Return how much of the average as of step ``first`` is left in that of step ``last``."""
    share_left: Steps = (first / last) ** (GAMMA + 1)
    return share_left


def share(step: int) -> float:
    """Return how much of the average after a step is what came of that step: all of it, after the first."""
    return 1 - kept(float(step - 1), step)
