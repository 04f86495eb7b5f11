"""A trainer's range of a served table: on hand while a training begins, is saved or loaded, as if it was sharded.

Shape letters: R rows of the range, D width.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from models.distributed.parameter_server.client import ParameterServer
from models.distributed.parameter_server.served import ServedRows
from models.rows.first_values import first_values
from models.rows.optimizer import STEP
from models.rows.rules import ROWS_AT_ONCE, RowState
from models.rows.table import NOTHING


def hand_over(server: ParameterServer, table: ServedRows, optimizer: Optimizer | None) -> None:
    """Give shards the rows that are not as they would make them."""
    weight_RD, number_R = table.weight.detach().cpu(), torch.arange(table.own.start, table.own.stop)
    state = (optimizer.state.get(table.weight) if optimizer else None) or RowState.of(weight_RD)._asdict()
    tensors = {"weight": weight_RD, **{name: state[name].cpu() for name in RowState._fields}}
    for rows in torch.split(number_R, ROWS_AT_ONCE):
        own = rows - table.own.start
        fresh_RD = first_values(table.seed, rows.numpy(), table.width, table.std).to(weight_RD)
        differs_R = (tensors["moved"][own, 0] > 0) | (weight_RD[own] != fresh_RD).any(dim=1)
        kept_R = own[differs_R & (rows != NOTHING)]
        if len(kept_R):
            server.put(table.name, number_R[kept_R], {name: each[kept_R] for name, each in tensors.items()})


def fetch(server: ParameterServer, table: ServedRows, optimizer: Optimizer) -> None:
    """Have this trainer's range of a table here."""
    pieces, taken = [], 0
    for number_R in torch.split(torch.arange(table.own.start, table.own.stop), ROWS_AT_ONCE):
        taken, found = server.state_of(table.name, number_R)
        pieces.append(found)
    where = table.weight.device
    state = {name: torch.cat([piece[name] for piece in pieces]).to(where) for name in pieces[0]}
    table.weight.data = state.pop("weight")
    if taken:
        optimizer.state[table.weight] = {STEP: torch.tensor(float(taken)), **state}


def let_go(table: ServedRows, optimizer: Optimizer | None) -> None:
    """Keep no row of it here."""
    table.weight.data = table.weight.new_empty(0, table.width)
    if optimizer is not None:
        optimizer.state.pop(table.weight, None)


def make_room(table: ServedRows) -> None:
    """Have room for this trainer's range."""
    table.weight.data = table.weight.new_empty(len(table.own), table.width)
