"""Wide and deep: log-odds of bad. Plain PyTorch.

Shape letters: B rows, F features, N of these that may be unknown, the last ones, E width of a party, W width.

What is known of a party by who it is stands in a table of rows, which the first layer reads.

Between layers a state is float (B, 1 + W): first what the wide part says, which is handed on as it is, then the deep
part's. So the network can be cut anywhere.

Source: Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from data_contracts.risk.parties import EVERYBODY
from models.network import LayeredNetwork
from models.risk.config import NetworkConfig
from models.rows.files import Table
from models.rows.table import Rows

PARTIES = 2
"""First columns of the inputs: the numbers of both parties."""
SMALLEST_DEVIATION = 1e-3
"""Of a feature: one that varies by less counts as one that does not vary."""
FARTHEST = 3.0
"""Standard deviations from the mean at which a feature is held: what is farther was hardly learned from."""


def known(inputs_BC: Tensor, party: Table) -> Tensor:
    """Return the numbers of both parties, int64 (B, 2), `EVERYBODY` for those that have no row."""
    number_B2 = inputs_BC[:, :PARTIES].long()
    return number_B2.masked_fill(number_B2 >= party.count, EVERYBODY)


class First(nn.Module):
    """Both parties and their features to a first state.

    Args:
        features: F.
        numbers: N.
        config: Widths.
        party: Rows of those known by number, 1…; any other is unknown.
    """

    mean_F: Tensor
    deviation_F: Tensor

    def __init__(self, features: int, numbers: int, config: NetworkConfig, party: Table) -> None:
        super().__init__()
        self.numbers = numbers
        self.party = party
        self.party_dropout = config.party_dropout
        self.register_buffer("mean_F", torch.zeros(features))
        self.register_buffer("deviation_F", torch.ones(features))
        told = features + numbers  # and of each number, whether it is unknown
        self.wide = nn.Linear(told, 1)
        self.deep = nn.Linear(told + PARTIES * config.party_width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inputs_BC: Tensor) -> Tensor:
        """Return float (B, 1 + W) for numbers of parties and features, float (B, 2 + F)."""
        known_B2 = known(inputs_BC, self.party)
        if self.training and self.party_dropout:
            is_hidden_B2 = torch.rand(known_B2.shape, device=known_B2.device) < self.party_dropout
            known_B2 = known_B2.masked_fill(is_hidden_B2, EVERYBODY)
        feature_BF = (inputs_BC[:, PARTIES:].to(self.mean_F) - self.mean_F) / self.deviation_F
        unknown_BN = feature_BF[:, feature_BF.shape[1] - self.numbers :].isnan()
        feature_BF = feature_BF.clamp(-FARTHEST, FARTHEST).nan_to_num(0.0)
        told_BT = torch.cat([feature_BF, unknown_BN.to(feature_BF)], dim=1)
        deep_BD = torch.cat([told_BT, self.party(known_B2).flatten(1)], dim=1)
        return torch.cat([self.wide(told_BT), self.dropout(self.deep(deep_BD).relu())], dim=1)

    @torch.no_grad()
    def measure(self, feature_BF: Tensor) -> None:
        """Learn mean and deviation of every feature, of those that are known; what never varies counts for nothing.

        Args:
            feature_BF: float64; NaN where a number is unknown.
        """
        is_known_BF = ~feature_BF.isnan()
        known_F = is_known_BF.sum(dim=0).clamp(min=1)
        mean_F = feature_BF.nan_to_num(0.0).sum(dim=0) / known_F
        away_BF = (feature_BF - mean_F).nan_to_num(0.0)
        deviation_F = (away_BF.square().sum(dim=0) / known_F).sqrt()
        self.mean_F.copy_(mean_F)
        self.deviation_F.copy_(deviation_F.clamp(min=SMALLEST_DEVIATION))
        share_N = is_known_BF[:, feature_BF.shape[1] - self.numbers :].double().mean(dim=0)
        varies_T = torch.cat([deviation_F >= SMALLEST_DEVIATION, (share_N > 0) & (share_N < 1)])
        self.wide.weight[:, ~varies_T] = 0
        self.deep.weight[:, : len(varies_T)][:, ~varies_T] = 0


class Hidden(nn.Module):
    """Changes the deep part."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.deep = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, state_BS: Tensor) -> Tensor:
        """Return float (B, 1 + W)."""
        return torch.cat([state_BS[:, :1], self.dropout(self.deep(state_BS[:, 1:]).relu())], dim=1)


class Last(nn.Linear):
    """Adds both parts up."""

    def forward(self, state_BS: Tensor) -> Tensor:
        """Return log-odds, float (B,)."""
        return state_BS[:, 0] + super().forward(state_BS[:, 1:])[:, 0]


class WideAndDeep(LayeredNetwork):
    """Log-odds of bad, float (B,), for float (B, 2 + F).

    Args:
        features: F.
        numbers: N.
        config: Its shape.
        party: See `First`.
    """

    def __init__(self, features: int, numbers: int, config: NetworkConfig, party: Table) -> None:
        super().__init__()
        self.first = First(features, numbers, config, party)
        self.hidden = nn.ModuleList(Hidden(config) for _ in range(config.hidden))
        self.last = Last(config.width, 1)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order."""
        return [self.first, *self.hidden, self.last]

    @property
    def parties(self) -> int:
        """Return how many parties it knows by number."""
        return self.first.party.count - 1


def new_rows(parties: int, config: NetworkConfig, *, decay: float = 0.0, make: Callable[..., Rows] = Rows) -> Rows:
    """Make fresh rows of parties 1…``parties`` in a table that ``make`` makes: who is new is as `EVERYBODY`, zero."""
    return make(parties + 1, config.party_width, decay=decay)
