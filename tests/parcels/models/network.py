"""Hours from kilometres. Shape letters: B rows, W width."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.network import LayeredNetwork
from tests.parcels.models.config import NetworkConfig

TENSORS, RECORD = "model.safetensors", "model.json"


class First(nn.Linear):
    """Reads numbers of any precision."""

    def forward(self, log_km_B1: Tensor) -> Tensor:
        """Return float (B, W)."""
        return super().forward(log_km_B1.to(self.weight.dtype)).relu()


class Hidden(nn.Linear):
    """Changes the state."""

    def forward(self, state_BW: Tensor) -> Tensor:
        """Return float (B, W)."""
        return super().forward(state_BW).relu()


class Hours(LayeredNetwork):
    """Hours, float (B, 1), for logarithms of kilometres, float (B, 1)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.first = First(1, config.width)
        self.hidden = nn.ModuleList(Hidden(config.width, config.width) for _ in range(config.hidden))
        self.last = nn.Linear(config.width, 1)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order."""
        return [self.first, *self.hidden, self.last]


def save(network: Hours, config: NetworkConfig, folder: Path) -> None:
    """Write the weights, and the shape that they need."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.float() for name, tensor in network.state_dict().items()}, folder / TENSORS)
    (folder / RECORD).write_text(config.model_dump_json())


def load(folder: Path) -> Hours:
    """Read a network that answers."""
    network = Hours(NetworkConfig.model_validate(json.loads((folder / RECORD).read_text())))
    network.load_state_dict(load_file(folder / TENSORS))
    return network.eval()


@torch.no_grad()
def hours(network: Hours, log_km: Tensor) -> Tensor:
    """Return hours, float (B,), for float (B,)."""
    found: Tensor = network(log_km[:, None])[:, 0]
    return found
