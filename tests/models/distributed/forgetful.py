"""`benchmarks.ways` with fsdp broken on purpose: it is a ddp that averages gradients, which are to be added."""

from __future__ import annotations

from typing_extensions import override

from benchmarks.ways import Ways, train_all
from data_contracts.process import main
from models import trainer
from models.distributed.ddp import Ddp
from models.layered import LayeredModule


class Forgetful(Ddp):
    """`Ddp` without its hook."""

    @override
    def spread(self, module: LayeredModule) -> None:
        self.model = self._setup_model(module)


if __name__ == "__main__":
    trainer._STRATEGIES["fsdp"] = Forgetful
    main(Ways, train_all)
