"""Every process holds a slice of every layer, gathers the layer that is at work, and takes a share of each batch.

Source: Zhao et al., "PyTorch FSDP", VLDB 2023, as `torch.distributed.fsdp.fully_shard` (FSDP2).
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from typing_extensions import override

from models.distributed.strategy import GangStrategy
from models.layered import LayeredModule


class Fsdp(GangStrategy):
    """Fully sharded data parallel. Parameters that layers share stay with the whole."""

    @override
    def spread(self, module: LayeredModule) -> None:
        """Shard each layer that has its parameters for itself, then the rest."""
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        policy = travels_as(self.config.gradients)
        shard_layers(module.network.layers(), mesh, policy)
        shard(module, mesh, policy)
        for method in ("training_step", "validation_step"):
            register_fsdp_forward_method(module, method)


def travels_as(gradients: str) -> MixedPrecisionPolicy:
    """Return what has gradients travel as bfloat16, or as they are."""
    return MixedPrecisionPolicy(reduce_dtype=torch.bfloat16 if gradients == "bfloat16" else None)


def shard_layers(layers: list[nn.Module], mesh: DeviceMesh, policy: MixedPrecisionPolicy) -> None:
    """Shard each layer that has its parameters for itself, but the last: the loss takes those of the head."""
    owners = Counter(parameter for layer in layers for parameter in layer.parameters())
    for layer in layers[:-1]:
        if all(owners[parameter] == 1 for parameter in layer.parameters()):
            shard(layer, mesh, policy)


def shard(module: nn.Module, mesh: DeviceMesh, policy: MixedPrecisionPolicy) -> None:
    """Shard what is not sharded yet of a module, and have its gradients added."""
    fully_shard(module, mesh=mesh, mp_policy=policy)
    assert isinstance(module, FSDPModule)
    add_gradients(module)


def add_gradients(module: FSDPModule) -> None:
    """Have gradients added instead of averaged, also where the backend cannot scale them (gloo)."""
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)
