from __future__ import annotations

import pytest
import torch

from models.networks.config import ResidualConfig
from models.networks.residual import ResidualNetwork

CONFIG = ResidualConfig(widths=(8, 16), blocks=2, groups=4)


@pytest.fixture
def network() -> ResidualNetwork:
    torch.manual_seed(0)
    return ResidualNetwork(CONFIG, channels=3, classes=5)


def bytes_of(rows: int, height: int = 9, width: int = 14) -> torch.Tensor:
    return torch.randint(
        0, 256, (rows, height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_it_has_as_many_layers_as_its_settings_say(network: ResidualNetwork) -> None:
    assert len(network.layers()) == CONFIG.layers == 6
    own = sum(parameter.numel() for parameter in network.parameters())
    assert own == sum(parameter.numel() for layer in network.layers() for parameter in layer.parameters())


@pytest.mark.parametrize(("height", "width"), [(4, 4), (9, 14), (32, 32)])
def test_every_size_becomes_a_number_for_each_class(network: ResidualNetwork, height: int, width: int) -> None:
    assert network(bytes_of(2, height, width)).shape == (2, 5)


def test_rows_do_not_see_each_other(network: ResidualNetwork) -> None:
    network.double()
    rows = bytes_of(5)
    torch.testing.assert_close(network(rows)[:2], network(rows[:2]), rtol=1e-12, atol=1e-12)


def test_what_goes_from_layer_to_layer_is_in_one_piece_and_gradients_lie_as_parameters_do() -> None:
    for channels in (1, 3):
        network = ResidualNetwork(CONFIG, channels=channels, classes=5)
        state = bytes_of(3)[..., :channels]
        for layer in network.layers():
            state = layer(state)
            assert state.is_contiguous()
        state.sum().backward()
        assert all(each.grad.stride() == each.stride() for each in network.parameters())


def test_groups_that_do_not_share_a_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"groups \(8\) must divide every width, and not \[12\]"):
        ResidualConfig(widths=(8, 12))
