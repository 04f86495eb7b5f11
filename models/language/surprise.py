"""How surprised a network is by texts: nats of each symbol, the same whatever the texts lie beside.

A text is read in rows of the network's context; each row but the first predicts its second half alone, so every symbol
is predicted with at least half a context before it, if there is as much. Shape letters: R rows, L positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from data_contracts.language.spelling import CODE_POINTS
from data_contracts.language.symbols import BOUNDARY, UNKNOWN
from models.language.network import LanguageNetwork

Floats = NDArray[np.float64]
Symbols = NDArray[np.int32]

ROWS_AT_ONCE = 64
"""That pass through a network together."""
NUMBERS_AT_ONCE = 2**23
"""That its last layer makes together: one for each symbol at each place."""
UNKNOWN_NATS = math.log(CODE_POINTS)
"""What a character without a number costs beside the chance that there is one: which of all characters it is."""
_NOTHING = -1


class Row(NamedTuple):
    """What a network reads at once.

    Attributes:
        text: Number of the text.
        read: Symbols, (L,).
        wanted: What is to be predicted behind each, (L,); below 0 where nothing is.
    """

    text: int
    read: NDArray[np.int64]
    wanted: NDArray[np.int64]


def surprise(network: LanguageNetwork, texts: Sequence[Symbols]) -> Floats:
    """Return the nats of each text, (texts,): the sum of -ln of the chance given to each symbol that came.

    Args:
        network: That predicts; a symbol that it does not know is read as `UNKNOWN`.
        texts: By the numbers of their symbols.
    """
    rows, found = _rows(texts, network.context), np.zeros(len(texts))
    while some := list(islice(rows, ROWS_AT_ONCE)):
        text_R, read_RL, wanted_RL = (np.array(each) for each in zip(*some, strict=True))
        np.add.at(found, text_R, _nats(network, read_RL, wanted_RL))
    return found


def _rows(texts: Sequence[Symbols], context: int) -> Iterator[Row]:
    step = context // 2
    for number, symbols in enumerate(texts):
        whole = np.concatenate([[BOUNDARY], symbols]).astype(np.int64)
        for start in range(0, max(len(symbols) - context, 0) + step, step):
            piece = whole[start : start + context + 1]
            read, wanted = np.full(context, BOUNDARY, np.int64), np.full(context, _NOTHING, np.int64)
            read[: len(piece) - 1], wanted[: len(piece) - 1] = piece[:-1], piece[1:]
            if start:
                wanted[: context - step] = _NOTHING
            yield Row(number, read, wanted)


@torch.inference_mode()
def _nats(network: LanguageNetwork, read_RL: NDArray[np.int64], wanted_RL: NDArray[np.int64]) -> Floats:
    """Return the sum of each row, (R,)."""
    known = network.saying.symbols.out_features
    is_strange_RL = (wanted_RL == UNKNOWN) | (wanted_RL >= known)
    state, wanted = (torch.from_numpy(np.where(each < known, each, UNKNOWN)) for each in (read_RL, wanted_RL))
    *layers, last = network.layers()
    for layer in layers:
        state = layer(state)
    places, symbols = state.flatten(0, 1), wanted.flatten()
    at_once = max(NUMBERS_AT_ONCE // known, 1)
    pieces = [slice(start, start + at_once) for start in range(0, len(symbols), at_once)]
    nats = torch.cat(
        [
            cross_entropy(last(places[own]).double(), symbols[own], ignore_index=_NOTHING, reduction="none")
            for own in pieces
        ]
    )
    of_rows: Floats = (nats.view_as(wanted).numpy() + UNKNOWN_NATS * is_strange_RL).sum(axis=1)
    return of_rows
