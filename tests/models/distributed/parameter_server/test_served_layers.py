from __future__ import annotations

from typing import cast

import pytest
import torch
from torch.nn import Parameter

from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.served_layers import ServedLayers


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (torch.optim.SGD([Parameter(torch.ones(1))]), "it is SGD"),
        (torch.optim.AdamW([Parameter(torch.ones(1))], betas=(0.5, 0.9)), r"betas is \(0\.5, 0\.9\) in group 0"),
        (torch.optim.AdamW([Parameter(torch.ones(1))], eps=1e-3, amsgrad=True), r"eps is 0\.001 .*amsgrad is True"),
    ],
)
def test_layers_of_another_optimiser_are_refused(optimizer: torch.optim.Optimizer, said: str) -> None:
    with pytest.raises(ValueError, match=rf"AdamW as torch sets it up.*{said}.*Take server\.mode: hybrid"):
        ServedLayers(cast("ParameterServer", None), optimizer)
