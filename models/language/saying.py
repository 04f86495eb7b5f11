"""A text that goes on: symbol by symbol, drawn from what a network says of the next one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from data_contracts.language.symbols import BOUNDARY, UNKNOWN
from models.language.network import LanguageNetwork


@torch.inference_mode()
def go_on(
    network: LanguageNetwork, prompt: Sequence[int], *, most: int, temperature: float, seed: int
) -> Iterator[int]:
    """Yield the numbers of the symbols that follow; it ends early where a document would.

    Args:
        network: That says.
        prompt: Numbers of the symbols so far; its last ones are looked back at.
        most: Symbols to yield.
        temperature: By which log-chances are divided; 0 for the likeliest symbol each time.
        seed: Of what is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    known = network.saying.symbols.out_features
    read = [BOUNDARY, *(number if number < known else UNKNOWN for number in prompt)]
    for _ in range(most):
        logit_V = network(torch.tensor([read[-network.context :]]))[0, -1].double()
        logit_V[UNKNOWN] = -torch.inf  # it stands for no character that could be said
        if temperature > 0:
            chance_V = (logit_V / temperature).softmax(dim=0)
            said = int(torch.multinomial(chance_V, 1, generator=generator))
        else:
            said = int(logit_V.argmax())
        if said == BOUNDARY:
            return
        read.append(said)
        yield said
