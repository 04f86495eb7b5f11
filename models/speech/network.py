"""The network of speech: plain PyTorch. Letters: B rows, T frames, M bands, L places, D width, C channels.

A place of zeros is padding, a frame, a state, and what is said of it; every layer leaves it so. What is real never sees
padding, and comes out the same whatever it is padded to; a row of padding alone comes out as zeros.

Sources: Gulati et al., "Conformer: convolution-augmented transformer for speech recognition", Interspeech 2020: where a
place is, its convolutions say; Graves et al., "Connectionist temporal classification", ICML 2006.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, glu, scaled_dot_product_attention, silu

from models.network import LayeredNetwork
from models.speech.config import SpeechNetworkConfig

FEED_FORWARD_RATIO = 4
_EPSILON = 1e-5


class _Dropout(nn.Dropout):
    """Drops the same numbers at all places of a sound: draws for each place take a third of a step on a CPU."""

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        return state_BLD * super().forward(torch.ones_like(state_BLD[:, :1])) if self.training else state_BLD


class Hearing(nn.Module):
    """From frames to states, `subsampling` frames to one; each sound is brought to one loudness first."""

    def __init__(self, mels: int, config: SpeechNetworkConfig) -> None:
        super().__init__()
        C, first = config.channels, config.subsampling // 2
        self.strides = (first, 2)
        self.nats, self.share = config.range_nats, config.band_mean_share
        self.first = nn.Conv2d(1, C, 3, (first, 2), 1)
        self.second = nn.Conv2d(C, C, 3, (2, 2), 1)
        self.state = nn.Linear(C * _halved(_halved(mels)), config.width)
        self.dropout = _Dropout(config.dropout)

    def forward(self, frame_BTM: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, T, M)."""
        there_BT = there(frame_BTM)
        frame_BTM = frame_BTM.to(self.state.weight.dtype)
        state_BCTM = normalised(frame_BTM, there_BT, nats=self.nats, share=self.share)[:, None]
        for convolution, stride in zip((self.first, self.second), self.strides, strict=True):
            there_BT = there_BT[:, ::stride]
            state_BCTM = gelu(convolution(state_BCTM)) * there_BT[:, None, :, None]
        state_BLD: Tensor = self.dropout(self.state(state_BCTM.transpose(1, 2).flatten(2)))
        return state_BLD * there_BT[..., None]


class Block(nn.Module):
    """One block: a convolution over time, attention to all places, a feed-forward layer, each added to its input."""

    def __init__(self, config: SpeechNetworkConfig) -> None:
        super().__init__()
        D = config.width
        self.heads = config.heads
        self.convolution_norm = nn.LayerNorm(D)
        self.gated = nn.Linear(D, 2 * D)
        self.depthwise = nn.Conv1d(D, D, config.kernel, padding=config.kernel // 2, groups=D)
        self.depthwise_norm = nn.LayerNorm(D)
        self.convolution_out = nn.Linear(D, D)
        self.attention_norm = nn.LayerNorm(D)
        self.query_key_value = nn.Linear(D, 3 * D)
        self.attention_out = nn.Linear(D, D)
        self.feed_forward_norm = nn.LayerNorm(D)
        self.feed_forward = nn.Sequential(
            nn.Linear(D, FEED_FORWARD_RATIO * D),
            nn.GELU(),
            nn.Linear(FEED_FORWARD_RATIO * D, D),
        )
        self.dropout = _Dropout(config.dropout)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return float (B, L, D) for float (B, L, D)."""
        there_BL = there(state_BLD)
        state_BLD = state_BLD + self.dropout(self._convolved(self.convolution_norm(state_BLD), there_BL))
        state_BLD = state_BLD + self.dropout(self._attend(self.attention_norm(state_BLD), there_BL))
        state_BLD = state_BLD + self.dropout(self.feed_forward(self.feed_forward_norm(state_BLD)))
        return state_BLD * there_BL[..., None]

    def _convolved(self, state_BLD: Tensor, there_BL: Tensor) -> Tensor:
        gated_BLD = glu(self.gated(state_BLD)) * there_BL[..., None]
        near_BLD = self.depthwise(gated_BLD.transpose(1, 2)).transpose(1, 2)
        convolved_BLD: Tensor = self.convolution_out(silu(self.depthwise_norm(near_BLD)))
        return convolved_BLD

    def _attend(self, state_BLD: Tensor, there_BL: Tensor) -> Tensor:
        B, L, D = state_BLD.shape
        joined_BLC = self.query_key_value(state_BLD)
        query, key, value = joined_BLC.view(B, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        sees_BL = there_BL | ~there_BL.any(dim=1, keepdim=True)  # a softmax over no place is no number
        mixed_BHLd = scaled_dot_product_attention(query, key, value, attn_mask=sees_BL[:, None, None])
        mixed: Tensor = self.attention_out(mixed_BHLd.transpose(1, 2).flatten(2))
        return mixed


class Writing(nn.Module):
    """From states to a number for each symbol that may be said there, the blank first."""

    def __init__(self, symbols: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.symbols = nn.Linear(width, symbols)

    def forward(self, state_BLD: Tensor) -> Tensor:
        """Return logits, float (B, L, V)."""
        logit_BLV: Tensor = self.symbols(self.norm(state_BLD))
        return logit_BLV * there(state_BLD)[..., None]


class SpeechNetwork(LayeredNetwork):
    """Logits of the symbol at each place, float (B, L, V), for frames, float (B, T, M).

    Args:
        config: Its shape.
        mels: M: bands of a frame.
        symbols: V: the blank of CTC, and those that are written.
    """

    def __init__(self, config: SpeechNetworkConfig, *, mels: int, symbols: int) -> None:
        super().__init__()
        self.subsampling = config.subsampling
        self.hearing = Hearing(mels, config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.writing = Writing(symbols, config.width)

    def layers(self) -> list[nn.Module]:
        """Return the layers in order."""
        return [self.hearing, *self.blocks, self.writing]

    def places(self, frames: int) -> int:
        """Return L, the places that so many frames become."""
        return -(-frames // self.subsampling)


def there(state_BLD: Tensor) -> Tensor:
    """Return which places are real, bool (B, L)."""
    return (state_BLD != 0).any(dim=-1)


def normalised(frame_BTM: Tensor, there_BT: Tensor, *, nats: float, share: float) -> Tensor:
    """Bring each sound to mean 0 and variance 1, from its real frames alone.

    Args:
        frame_BTM: Logarithms of power.
        there_BT: Which frames are real.
        nats: Below its loudest place, under which all is silence.
        share: Of each band's own mean that is taken off instead of the mean of all.
    """
    there_BT1 = there_BT[..., None]
    frames_B = there_BT.sum(dim=1).clamp(min=1)[:, None, None]
    loud_BTM = torch.maximum(frame_BTM, frame_BTM.amax(dim=(1, 2), keepdim=True) - nats) * there_BT1
    band_BM = loud_BTM.sum(dim=1, keepdim=True) / frames_B
    mean_BM = torch.lerp(band_BM.mean(dim=-1, keepdim=True).expand_as(band_BM), band_BM, share)
    centred_BTM = (loud_BTM - mean_BM) * there_BT1
    variance_B = centred_BTM.square().mean(dim=2, keepdim=True).sum(dim=1, keepdim=True) / frames_B
    return centred_BTM * torch.rsqrt(variance_B + _EPSILON)


def _halved(size: int) -> int:
    return (size + 1) // 2
