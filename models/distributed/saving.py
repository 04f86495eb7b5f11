"""How the processes of a training meet, and save it together, whatever each of them holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytorch_lightning.strategies import DDPStrategy
from torch import distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.optim import Optimizer
from typing_extensions import override

from models.distributed.parameter_server.trainer import TrainersEnd
from models.distributed.saved import Splits, begin_save, load, splits_of
from models.layered import LayeredModule


class SavingStrategy(DDPStrategy):
    """Saves the parameters of all processes by the names that the whole module has for them.

    Attributes:
        aliases: Every name of a parameter to the one that it is saved under.
        sliced: Modules of which a process holds a slice.
        served: This process's end of the parameter server, which holds tables of rows for all.
    """

    aliases: Mapping[str, str]
    sliced: Sequence[FSDPModule] = ()
    served: TrainersEnd
    restore_checkpoint_after_setup = True

    @override
    def setup_environment(self) -> None:
        """Meet the other processes, once more for writing checkpoints."""
        super().setup_environment()
        self._writers = distributed.new_group(backend="gloo")
        self._background = ThreadPoolExecutor(1, "checkpoint")

    def call_by_first_names(self, module: nn.Module) -> None:
        """Have a table of two layers, which has two names, saved under the first, whichever of them a process has."""
        first: dict[int, str] = {}
        named = module.named_parameters(remove_duplicate=False)
        self.aliases = {name: first.setdefault(id(parameter), name) for name, parameter in named}

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return what this process holds, by the names that the whole module has for it."""
        assert self.lightning_module is not None
        self.reshard()
        return {self.aliases[name]: parameter for name, parameter in self.lightning_module.named_parameters()}

    def splits(self) -> Splits:
        """Return the tables of which this process has some rows."""
        found = splits_of(self._module_of_layers(), self.root_device)
        return {self.aliases[name]: split for name, split in found.items()}

    def reshard(self) -> None:
        """Put away what was gathered for validation: it is not what is trained."""
        for each in self.sliced:
            each.reshard()

    @override
    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Return nothing: `save_checkpoint` asks for `parameters` itself."""
        return {}

    @override
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return nothing but the settings of each group: `save_checkpoint` asks for the rest itself."""
        groups = optimizer.state_dict()["param_groups"]
        return {"groups": [{name: value for name, value in group.items() if name != "params"} for group in groups]}

    @override
    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Do nothing: `load_checkpoint` did."""

    @override
    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the settings of each group; `load_checkpoint` did the rest."""
        (optimizer,), (saved,) = self.optimizers, checkpoint["optimizer_states"]
        for group, settings in zip(optimizer.param_groups, saved["groups"], strict=True):
            group.update(settings)

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any | None = None
    ) -> None:
        """Begin to write what all processes hold into one folder that any way of splitting can go on from."""
        (optimizer,) = self.optimizers
        beside = checkpoint if self.is_global_zero else None
        with self.served.on_hand(optimizer):
            held = self.parameters()
            self.writing = begin_save(Path(filepath), held, optimizer, beside, self._writers, self.splits())

    def after_writing(self, work: Callable[[], None]) -> Future[None]:
        """Do some work in the background once all of a checkpoint is written."""
        return self._background.submit(_after, self.writing, work)

    @override
    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Take this process's part of what was saved, however it was split then."""
        (optimizer,) = self.optimizers
        self.served.make_room()
        beside = load(Path(checkpoint_path), self.parameters(), optimizer, self.splits())
        self.served.begin(beside["global_step"], optimizer)
        return beside

    @override
    def teardown(self) -> None:
        """Leave the parameter server, then the other processes."""
        if hasattr(self, "served"):
            self.served.close()
        super().teardown()

    def _module_of_layers(self) -> LayeredModule:
        assert isinstance(self.lightning_module, LayeredModule)
        return self.lightning_module


def _after(writing: Future[None], work: Callable[[], None]) -> None:
    writing.result()
    work()
