"""By what language models are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Metrics
from models.bootstrap import Values
from models.rates import bits_a_token, nats_a_token, of_tokens, perplexity

FIVE_GRAM, ONE_GRAM = "five_gram", "one_gram"

METRICS = Metrics(
    primary="nats_a_character",
    shown=("nats_a_character", "perplexity", "bits_a_byte"),
    drawn=("nats_a_character",),
    whole=("perplexity",),
    lower_is_better=("nats_a_character", "perplexity", "bits_a_byte"),
    baselines=(ONE_GRAM, FIVE_GRAM),
    unit="document",
)

Floats = NDArray[np.float64]


def judged(nats_U: Floats, characters_U: Floats, bytes_U: Floats) -> dict[str, float]:
    """Return all metrics of some documents; perplexity is that of a character.

    Args:
        nats_U: Of each document.
        characters_U: In it.
        bytes_U: In it.
    """
    sums = of_tokens(nats_U, characters_U).state()
    return {
        "nats_a_character": nats_a_token(sums),
        "perplexity": perplexity(sums),
        "bits_a_byte": bits_a_token(of_tokens(nats_U, bytes_U).state()),
    }


def values(metric: str, nats: Mapping[str, Floats], characters_U: Floats, bytes_U: Floats) -> Values:
    """Return the `Values` of a metric that may decide.

    Args:
        metric: One of `METRICS.may_decide`.
        nats: Contestant to the nats of each document, (units,).
        characters_U: In it.
        bytes_U: In it.
    """
    below_U, unit = (bytes_U, math.log(2)) if metric == "bits_a_byte" else (characters_U, 1.0)
    names, nats_CU = list(nats), np.array(list(nats.values())) / unit

    def of(weight_U: Floats) -> Mapping[str, float]:
        return dict(zip(names, (nats_CU @ weight_U / (below_U @ weight_U)).tolist(), strict=True))

    return of
