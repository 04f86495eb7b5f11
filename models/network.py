"""A network that is a list of layers: what a way of splitting it over processes needs to know. Plain PyTorch."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class LayeredNetwork(nn.Module):
    """A network that can be cut."""

    @abstractmethod
    def layers(self) -> list[nn.Module]:
        """Return the layers in order; each takes what the one before returns. They share nothing but tables of rows."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the last layer does."""
        state = inputs
        for layer in self.layers():
            state = layer(state)
        return state
