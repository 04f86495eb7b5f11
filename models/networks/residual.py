"""A residual network with group norm: plain PyTorch. Shape letters: B rows, H height, W width, C numbers at a place.

Between layers the numbers of a place lie beside each other (B, H, W, C): so is convolved fastest on CPUs and GPUs, and
what travels between the stages of a pipeline is in one piece. Group norm looks at one row only: how a batch is split
over processes or microbatches, and what it is padded with, changes nothing.

Sources: He et al., "Identity mappings in deep residual networks", ECCV 2016 (norm and ReLU before each convolution); Wu
and He, "Group normalization", ECCV 2018.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from models.network import LayeredNetwork
from models.networks.config import ResidualConfig

BYTE = 255


class Stem(nn.Module):
    """From bytes to states of half the height and width."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convolution = _convolution(channels, width, stride=2)

    def forward(self, byte_BHWC: Tensor) -> Tensor:
        """Return float (B, H / 2, W / 2, width) for uint8 (B, H, W, channels)."""
        state_BHWC = byte_BHWC.to(self.convolution.weight.dtype) / (BYTE / 2) - 1
        # one channel first or last is the same in memory, and torch must not take it for last: DDP minds the strides
        state_BCHW = state_BHWC.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        state: Tensor = self.convolution(state_BCHW)
        return state.permute(0, 2, 3, 1).contiguous()


class Block(nn.Module):
    """Two convolutions, added to what went in."""

    def __init__(self, before: int, width: int, *, groups: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(groups, before)
        self.first = _convolution(before, width, stride=stride)
        self.second_norm = nn.GroupNorm(groups, width)
        self.second = _convolution(width, width, stride=1)
        self.stride = stride
        self.shortcut = nn.Linear(before, width, bias=False) if (before, stride) != (width, 1) else None

    def forward(self, state_BHWC: Tensor) -> Tensor:
        """Return float (B, H / stride, W / stride, width)."""
        ready = _active(self.first_norm, state_BHWC)
        changed = _convolved(self.second, _active(self.second_norm, _convolved(self.first, ready)))
        kept = state_BHWC if self.shortcut is None else self.shortcut(ready[:, :: self.stride, :: self.stride])
        return kept + changed


class Head(nn.Module):
    """From states to a number for each class."""

    def __init__(self, width: int, classes: int, *, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width)
        self.classes = nn.Linear(width, classes)

    def forward(self, state_BHWC: Tensor) -> Tensor:
        """Return logits, float (B, classes)."""
        logit: Tensor = self.classes(_active(self.norm, state_BHWC).mean(dim=(1, 2)))
        return logit


class ResidualNetwork(LayeredNetwork):
    """Logits, float (B, classes), for uint8 (B, H, W, channels).

    Args:
        config: Its shape.
        channels: Numbers that a place has when it comes in.
        classes: Numbers that come out.
    """

    def __init__(self, config: ResidualConfig, *, channels: int, classes: int) -> None:
        super().__init__()
        first, *_, last = widths = config.widths
        self.stem = Stem(channels, first)
        self.blocks = nn.ModuleList()
        for number, (before, width) in enumerate(pairwise((first, *widths))):
            self.blocks.append(Block(before, width, groups=config.groups, stride=2 if number else 1))
            self.blocks.extend(Block(width, width, groups=config.groups, stride=1) for _ in range(config.blocks - 1))
        self.head = Head(last, classes, groups=config.groups)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order."""
        return [self.stem, *self.blocks, self.head]


def _convolution(before: int, width: int, *, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, width, 3, stride, 1, bias=False)


def _convolved(convolution: nn.Conv2d, state_BHWC: Tensor) -> Tensor:
    state: Tensor = convolution(state_BHWC.permute(0, 3, 1, 2))
    return state.permute(0, 2, 3, 1).contiguous()


def _active(norm: nn.GroupNorm, state_BHWC: Tensor) -> Tensor:
    return relu(norm(state_BHWC.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
