"""A text that goes on: symbol by symbol, drawn from what a network says of the next one.

What was read is kept, so that a symbol is read once. A row of the network's context has an end: there its older half is
forgotten and the newer one read anew, as the beginning of a row. So every symbol is drawn from half a context at least,
as every one is judged (`models.language.surprise`); to forget one symbol at a time would be to read all of the context
again for each.
"""

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
        prompt: Numbers of the symbols so far; as many of its last ones are read as the network looks back at.
        most: Symbols to yield.
        temperature: By which log-chances are divided; 0 for the likeliest symbol each time.
        seed: Of what is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    known, newer_half = network.saying.symbols.out_features, (network.context + 1) // 2
    row = [BOUNDARY, *(number if number < known else UNKNOWN for number in prompt)][-network.context :]
    unread, past = row, None
    for _ in range(most):
        logit_BV, past = network.further(torch.tensor([unread]), past)
        logit_V = logit_BV[0].double()
        logit_V[UNKNOWN] = -torch.inf  # it stands for no character that could be said
        if temperature > 0:
            chance_V = (logit_V / temperature).softmax(dim=0)
            said = int(torch.multinomial(chance_V, 1, generator=generator))
        else:
            said = int(logit_V.argmax())
        if said == BOUNDARY:
            return
        yield said
        row, unread = [*row, said], [said]
        if len(row) > network.context:
            row = unread = row[-newer_half:]
            past = None
