"""What a trainer has learned from a step, on its way to all shards. Shape letters: U rows of a step, D width."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from torch import Tensor
from torch.optim import Optimizer

from data_contracts.parallelism import ParallelismConfig
from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.errors import NotFiniteError
from models.distributed.parameter_server.gathered import Gradient, Gradients, Push, squared_norm
from models.distributed.parameter_server.links import Answers
from models.distributed.parameter_server.residuals import Residuals
from models.distributed.parameter_server.served import ServedRows
from models.layered import IDLE
from models.rows.table import NOTHING

logger = logging.getLogger(__name__)


class Sending:
    """The gradients of one trainer, a step after the other.

    Where trainers step together, a share of a step is sent at once, and taken when all know by what to scale it. A
    trainer that steps by itself knows that alone: it sends its step scaled, when it asks for the next one.

    Args:
        config: Of the training.
        share: That this trainer has of a step.
    """

    def __init__(self, config: ParallelismConfig, share: int) -> None:
        self._leases, self._rounds, self._share = config.leases, config.server.travels == "bfloat16", share
        self._kept: dict[str, tuple[ServedRows, Tensor, Tensor]] = {}
        self._residuals = Residuals()
        self._push = Push(IDLE, 0, {})
        self._due: Push | None = None
        self._sent: Answers = []
        self._scaled: Answers = []

    def keep(self, table: ServedRows, number_U: Tensor, gradient_UD: Tensor) -> None:
        """Keep the gradient of a table's rows until it is sent."""
        learned_U = number_U != NOTHING
        self._kept[table.name] = table, number_U[learned_U], gradient_UD[learned_U]

    def send(self, server: ParameterServer, optimizer: Optimizer, step: int, layers: Gradients) -> None:
        """Send this trainer's share of a step, once the one before was taken."""
        self.settle(server)
        rates = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
        rows = {
            name: Gradient(value_UD, number_U, float(rates[id(table.weight)]))
            for name, (table, number_U, value_UD) in self._kept.items()
        }
        counts = {name: table.count for name, (table, _, _) in self._kept.items()}
        self._kept.clear()
        self._push = Push(step, self._share, self._as_sent({**rows, **layers}, counts), factor=None)
        if not self._leases:
            self._sent = server.push(self._push)

    def _as_sent(self, gradients: Gradients, counts: Mapping[str, int]) -> Gradients:
        if not self._rounds:
            return gradients
        return {name: self._residuals.rounded(name, each, counts.get(name, 0)) for name, each in gradients.items()}

    def squared_norm(self, server: ParameterServer) -> float:
        """Return the squared length of the step's gradient, of all trainers; NaN where it is no number."""
        if self._leases:
            return squared_norm(self._push.gradients)
        try:
            server.wait(self._sent)
        except NotFiniteError as error:
            logger.error("%s", error)  # noqa: TRY400, where it came from says nothing
            return float("nan")
        return server.squared_norm(self._push.step)

    def scale(self, server: ParameterServer, factor: float) -> None:
        """Have the step taken, its gradient scaled."""
        if self._leases:
            self._due = self._push._replace(factor=factor)
        else:
            self._scaled = server.scale(self._push.step, factor)

    def settle(self, server: ParameterServer) -> None:
        """See that the last step was taken.

        A trainer that steps by itself sends it here: by now it is in the ledger, so none is learned that is not there.
        """
        if self._due is not None:
            self._scaled, self._due = server.push(self._due), None
        if self._scaled:
            server.wait(self._scaled)
            self._scaled = []

    def ended(self, steps: range) -> int | None:
        """Return the step that this trainer took last, if it was of this pass."""
        return self._push.step if self._push.step in steps else None
