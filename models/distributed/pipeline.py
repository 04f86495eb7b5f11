"""Consecutive layers on different processes; a batch goes through in small parts, and its gradients come back.

With more processes than stages, each stage has replicas that share the batch: whole ones (`ddp`) or sharded (`fsdp`).
Both go through `fully_shard`'s machinery, `DistributedDataParallel` is wrong under some schedules.

Sources: Huang et al., "GPipe", 2019; Narayanan et al., "PipeDream" (1F1B), 2019, and interleaved, 2021; Qi et al.,
"Zero Bubble Pipeline Parallelism", 2024; run by `torch.distributed.pipelining`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed._composable.replicate_with_fsdp import replicate
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import (
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
    _PipelineSchedule,
)
from typing_extensions import override

from data_contracts.parallelism import Schedule
from models.distributed.cut import cut_once
from models.distributed.fsdp import add_gradients, in_rows, shard, shard_layers, travels_as
from models.distributed.strategy import GangStrategy, squared_norm
from models.layered import Batch, LayeredModule, Targets

_SCHEDULES: dict[Schedule, type[_PipelineSchedule]] = {
    "gpipe": ScheduleGPipe,
    "1f1b": Schedule1F1B,
    "interleaved": ScheduleInterleaved1F1B,
    "zero_bubble": ScheduleInterleavedZeroBubble,
}


class _Stage(nn.Sequential):
    """Consecutive layers on one process."""

    def call(self, work: Callable[..., Tensor], *arguments: object) -> Tensor:
        """Do work that needs the layers' parameters outside of their own turn: a loss takes those of the head."""
        return work(*arguments)


class Pipeline(GangStrategy):
    """Stages, and replicas of each."""

    equal_shares = True

    @override
    def setup_environment(self) -> None:
        """Arrange the processes: a row for each replica, a column for each stage."""
        super().setup_environment()
        shape = (self.world_size // self.config.pipeline_stages, self.config.pipeline_stages)
        self.mesh = init_device_mesh(self.root_device.type, shape, mesh_dim_names=("replica", "stage"))

    @property
    @override
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        """Say which replica this process is part of: all of its stages take the same share of a batch."""
        replicas = self.mesh["replica"]
        return {"num_replicas": replicas.size(), "rank": replicas.get_local_rank()}

    @override
    def spread(self, module: LayeredModule) -> None:
        """Leave this process its stages."""
        self._module = module
        layers = module.network.layers()
        cut = cut_once(self, module, Path(module.trainer.default_root_dir), self.config.stages)
        place = self.mesh["stage"].get_local_rank()
        own = [number for number in range(self.config.stages) if number % self.config.pipeline_stages == place]
        names = {layer: name for name, layer in module.named_modules()}
        for number in range(self.config.stages):
            for layer in layers[cut.of(number)] if number not in own else ():
                module.set_submodule(names[layer], nn.Identity())
        self.outside = self._stages = [self._replicated(_Stage(*layers[cut.of(number)])) for number in own]
        group = self.mesh["stage"].get_group()
        stages = [
            PipelineStage(stage, number, self.config.stages, self.root_device, group=group)
            for stage, number in zip(self._stages, own, strict=True)
        ]
        self.speaks_for_its_share = own[-1] == self.config.stages - 1
        self._has_first = own[0] == 0
        kind: Any = _SCHEDULES[self.config.schedule]
        self._schedule: Any = kind(
            stages if self.config.stages_per_process > 1 else stages[0],
            self.config.microbatches,
            loss_fn=self._loss,
            scale_grads=False,
        )

    def _replicated(self, stage: _Stage) -> _Stage:
        """Share a stage's work with its replicas."""
        replicas, policy = self.mesh["replica"], travels_as(self.config.gradients)
        if self.config.replicas == "fsdp":
            if self.config.schedule != "zero_bubble":  # its second way back comes when layers are closed already
                shard_layers(list(stage), replicas, policy)
            shard(stage, replicas, policy)
        elif replicas.size() > 1:
            replicate(stage, mesh=replicas, mp_policy=policy, ignored_params=in_rows(stage))
            assert isinstance(stage, FSDPModule)
            add_gradients(stage)
        if isinstance(stage, FSDPModule):
            register_fsdp_forward_method(stage, "call")
        return stage

    @override
    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Run the schedule, which goes there and back at once; the gradients wait for `backward`."""
        losses: list[Tensor] = []
        self.begin_step(batch)
        self._module.hold(batch, first=self._has_first, last=self.speaks_for_its_share)
        with self.precision_plugin.train_step_context():
            self._run(self._schedule.step, batch, losses)
        self.waiting = self.take_gradients()
        return torch.stack(losses).sum().detach() if losses else torch.zeros((), device=self.root_device)

    @override
    def backward(self, closure_loss: Tensor, *_: object, **__: object) -> Tensor:
        """Hand over the gradients of the step."""
        self.give_gradients()
        self.collect()
        return closure_loss

    @override
    def validation_step(self, batch: Batch, _: int) -> None:
        """Run the stages, and judge in the last."""
        self.hold_parts(batch, first=self._has_first, last=self.speaks_for_its_share)
        with self.precision_plugin.val_step_context():
            output = self._run(self._schedule.eval, batch, [])
            if output is None:
                self._module.assist()
                judged = torch.empty(0, device=self.root_device)
            else:
                judged = self._stages[-1].call(self._module.quality, output, batch)
            self._module.judged(judged)
        self._module.let_go()

    @override
    def squared_norm(self, parameters: list[nn.Parameter]) -> Tensor:
        """Add up the stages."""
        total = squared_norm(parameters).to(self.root_device)
        distributed.all_reduce(total, group=self.mesh["stage"].get_group())
        return total

    def _run(self, work: Callable[..., Tensor | None], batch: Batch, losses: list[Tensor]) -> Tensor | None:
        self._targets: Sequence[Targets] = batch.targets.split(self.config.microbatches)
        numbers = torch.arange(self.config.microbatches, device=self.root_device) if self.speaks_for_its_share else None
        inputs = (batch.inputs,) if self._has_first else ()
        return work(*inputs, target=numbers, losses=losses)

    def _loss(self, output: Tensor, number: Tensor) -> Tensor:
        return self._stages[-1].call(self._module.loss, output, self._targets[int(number[0])])
