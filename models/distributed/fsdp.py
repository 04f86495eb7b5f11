"""Every process holds a slice of every layer, gathers the layer that is at work, and takes a share of each batch.

Source: Zhao et al., "PyTorch FSDP", VLDB 2023, as `torch.distributed.fsdp.fully_shard` (FSDP2).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from typing_extensions import override

from models.distributed.strategy import GangStrategy
from models.layered import LayeredModule
from models.rows.table import Rows


class Fsdp(GangStrategy):
    """Fully sharded data parallel. Layers share no parameters; tables of rows are none of theirs."""

    @override
    def spread(self, module: LayeredModule) -> None:
        """Shard each layer, then the rest."""
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
    """Shard each layer but the last: the loss takes parameters of the head."""
    for layer in layers[:-1]:
        shard(layer, mesh, policy)


def shard(module: nn.Module, mesh: DeviceMesh, policy: MixedPrecisionPolicy) -> None:
    """Shard what is not sharded yet of a module, and have its gradients added."""
    fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=in_rows(module))
    assert isinstance(module, FSDPModule)
    add_gradients(module)


def in_rows(module: nn.Module) -> set[nn.Parameter]:
    """Return the parameters of tables of rows, which have a way of their own."""
    return {parameter for each in module.modules() if isinstance(each, Rows) for parameter in each.parameters()}


def add_gradients(module: FSDPModule) -> None:
    """Have gradients added instead of averaged, also where the backend cannot scale them (gloo)."""
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)
