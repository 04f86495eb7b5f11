from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from models.speech.config import SpeechNetworkConfig
from models.speech.network import SpeechNetwork

SYMBOLS, MELS = 7, 10
in_every_shape = pytest.mark.parametrize("subsampling", [2, 4])


def made(subsampling: int = 2) -> SpeechNetwork:
    torch.manual_seed(0)
    config = SpeechNetworkConfig(channels=4, width=16, heads=2, blocks=2, kernel=5, subsampling=subsampling)
    return SpeechNetwork(config, mels=MELS, symbols=SYMBOLS).double().eval()


def sounds(*lengths: int) -> Tensor:
    random = torch.Generator().manual_seed(1)
    longest = max(lengths)
    each = [1 + torch.rand(length, MELS, generator=random, dtype=torch.float64) for length in lengths]
    return torch.stack([pad(sound, (0, 0, 0, longest - len(sound))) for sound in each])


def test_it_has_as_many_layers_as_its_settings_say() -> None:
    network = made()
    assert len(network.layers()) == 4
    own = sum(parameter.numel() for parameter in network.parameters())
    assert own == sum(parameter.numel() for layer in network.layers() for parameter in layer.parameters())


@in_every_shape
@pytest.mark.parametrize("frames", [1, 2, 5, 12])
def test_a_sound_says_the_same_whatever_it_is_padded_to(subsampling: int, frames: int) -> None:
    network = made(subsampling)
    alone = sounds(frames)
    L = network.places(frames)
    said = network(alone)
    assert said.shape == (1, L, SYMBOLS)
    for padding in (1, 2, 3, 17):
        padded = network(pad(alone, (0, 0, 0, padding)))
        torch.testing.assert_close(padded[:, :L], said, rtol=0, atol=1e-9)
        assert not padded[:, L:].any()


@in_every_shape
def test_every_layer_leaves_padding_zeros_and_what_is_real_not(subsampling: int) -> None:
    network = made(subsampling)
    state = sounds(9, 20, 1)
    for layer in network.layers():
        state = layer(state)
        is_there = (state != 0).any(dim=-1)
        assert is_there.sum(dim=1).tolist() == [network.places(frames) for frames in (9, 20, 1)]
        assert state.is_contiguous()


def test_padding_has_no_part_in_what_is_learned() -> None:
    gradients = []
    for padding in (0, 9):
        network = made()
        batch = pad(sounds(8, 13), (0, 0, 0, padding, 0, padding))
        network(batch).square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=1e-9)


def test_gradients_lie_as_parameters_do() -> None:
    network = made()
    network(sounds(9, 20)).square().sum().backward()
    assert all(each.grad is not None and each.grad.stride() == each.stride() for each in network.parameters())


def test_rows_of_padding_alone_give_zeros_and_gradients_that_are_numbers() -> None:
    network = made().train()
    said = network(torch.zeros(2, 6, MELS, dtype=torch.float64, requires_grad=True))
    assert not said.any()
    said.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_louder_recording_says_the_same_and_another_order_something_else() -> None:
    network = made()
    one = sounds(12)
    torch.testing.assert_close(network(one + 3), network(one), rtol=0, atol=1e-6)
    assert (network(one.flip(1)).flip(1) - network(one)).abs().max() > 1e-3


def test_what_is_far_below_the_loudest_is_silence_and_a_microphone_is_not_heard() -> None:
    network = made()
    network.hearing.nats, network.hearing.share = 4.0, 1.0
    quiet = 10 + sounds(12)
    quiet[:, 3:5] = torch.tensor([1.0, 5.0])[:, None]
    quieter = quiet.clone()
    quieter[:, 3:5] = torch.tensor([2.0, 3.0])[:, None]
    torch.testing.assert_close(network(quieter), network(quiet), rtol=0, atol=1e-12)
    microphone = torch.linspace(0, 3, MELS, dtype=torch.float64)
    network.hearing.nats = 99.0
    torch.testing.assert_close(network(quiet + microphone), network(quiet), rtol=0, atol=1e-9)


def test_a_kernel_without_a_middle_and_heads_that_share_no_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"kernel \(4\) must be odd"):
        SpeechNetworkConfig(kernel=4)
    with pytest.raises(ValueError, match=r"heads \(5\) must divide the width \(96\)"):
        SpeechNetworkConfig(width=96, heads=5)
