"""Late gradients, corrected by what their parameters have moved since they were looked up.

Source: Zheng et al., "Asynchronous stochastic gradient descent with delay compensation", ICML 2017, equation 10: to a
gradient g, taken at w and learned at w', comes λ g² (w' - w).
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.distributed.parameter_server.gathered import Gradients, Wanted
from models.distributed.parameter_server.stores import Stores


class Compensation:
    """Remembers what steps have read; not safe for threads.

    Args:
        strength: λ; nothing is remembered, and nothing corrected, when it is 0.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self._read: dict[int, tuple[Wanted, dict[str, Tensor]]] = {}

    def remember(self, step: int, wanted: Wanted, found: dict[str, Tensor]) -> None:
        """Keep what a step has read until it is taken."""
        if self.strength:
            before = self._read.get(step, ({}, {}))
            self._read[step] = {**before[0], **wanted}, {**before[1], **found}

    def corrected(self, step: int, gradients: Gradients, stores: Stores) -> Gradients:
        """Return the gradients of a step, corrected as far as it has read what they are of."""
        wanted, found = self._read.pop(step, ({}, {}))
        fixed = dict(gradients)
        for name in gradients.keys() & found.keys():
            value, number_U, _ = gradients[name]
            now = stores.read({name: number_U})[name]
            then = _as_read(wanted[name], found[name], number_U)
            late = self.strength * value.square() * (now - then).nan_to_num()
            fixed[name] = gradients[name]._replace(value=value + late)
        return fixed


def _as_read(read_V: Tensor | None, row_VD: Tensor, number_U: Tensor | None) -> Tensor:
    """Return rows as they were read, NaN where one was not."""
    if read_V is None or number_U is None:
        return row_VD
    row_UD = row_VD.new_full((len(number_U), row_VD.shape[1]), torch.nan)
    is_read_U, was_learned_V = torch.isin(number_U, read_V), torch.isin(read_V, number_U)
    row_UD[is_read_U] = row_VD[was_learned_V]  # both are in ascending order
    return row_UD
