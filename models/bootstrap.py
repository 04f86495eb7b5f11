"""How sure a difference is: the units that were judged are drawn again and again, for all contestants alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from data_contracts.evidence import Interval, Metrics
from data_contracts.version import CANDIDATE

Floats = NDArray[np.float64]

RESAMPLES = 1_000
PERCENTILES = (5.0, 95.0)
"""See `Interval`."""

Values = Callable[[Floats], Mapping[str, float]]
"""From how often each unit counts, (units,), to each contestant's value of the metric that decides."""


def compare(by: Metrics, values: Values, units: int) -> tuple[str, dict[str, Interval]]:
    """Choose who is published, and say how surely it is better than everybody else.

    Args:
        by: Says which way is better, and who may be chosen instead of the candidate.
        values: Judges all contestants on some units; those that count twice are two.
        units: That there are. They are independent of each other: what one of them holds is drawn as a whole.

    Returns:
        The contestant chosen; and every other one to by how much the chosen one is better, NaN where one diverged.
        Nothing where no unit or no candidate was judged.

    Source:
        Paired bootstrap, percentile interval: Efron and Tibshirani, "An introduction to the bootstrap", 1993;
        Koehn, "Statistical significance tests for machine translation evaluation", 2004.
    """
    found = values(np.ones(units)) if units else {}
    names = list(found)
    eligible = [name for name in (CANDIDATE, *by.rivals) if name in names]
    if not eligible:
        return CANDIDATE, {}
    chosen = max(eligible, key=lambda name: _rank(by, found[name]))
    generator = np.random.default_rng(0)
    drawn = np.array([list(values(_draw(generator, units)).values()) for _ in range(RESAMPLES)])
    ahead = by.sign * (drawn[:, [names.index(chosen)]] - drawn)
    return chosen, {
        name: _interval(ahead[:, place], found[chosen] - found[name])
        for place, name in enumerate(names)
        if name != chosen
    }


def intervals(values: Callable[[Floats], Mapping[str, float]], units: int) -> dict[str, Interval]:
    """Say where metrics of one contestant lie.

    Args:
        values: Returns its metrics, by name, on some units; those that count twice are two.
        units: That there are, see `compare`.

    Returns:
        Each metric's interval, over the draws that it can be said of: of few units, some hold one kind alone. Nothing
        where no unit was judged, or a metric of all units is NaN.
    """
    found = {name: value for name, value in values(np.ones(units)).items() if not np.isnan(value)} if units else {}
    if not found:
        return {}
    generator = np.random.default_rng(0)
    drawn = [values(_draw(generator, units)) for _ in range(RESAMPLES)]
    return {name: _interval(np.array([each[name] for each in drawn]), value) for name, value in found.items()}


def means(of_units: Mapping[str, Floats]) -> Values:
    """Return the `Values` of a metric that is a mean over units.

    Args:
        of_units: Contestant to the metric of each unit, (units,).
    """
    names, metric_CU = list(of_units), np.array(list(of_units.values()))

    def values(weight_U: Floats) -> Mapping[str, float]:
        return dict(zip(names, (metric_CU @ weight_U / weight_U.sum()).tolist(), strict=True))

    return values


def _draw(generator: np.random.Generator, units: int) -> Floats:
    """Draw as many units as there are, and count how often each came."""
    return np.bincount(generator.integers(units, size=units), minlength=units).astype(np.float64)


def _interval(drawn: Floats, value: float) -> Interval:
    """Return where a number lies that is ``value`` over all units; NaN, if it is none.

    Draws that it cannot be said of do not count: of few units, some hold one kind alone.
    """
    low, high = (np.nan, np.nan) if np.isnan(value) else np.nanpercentile(drawn, PERCENTILES)
    return Interval(low=low, high=high)


def _rank(by: Metrics, value: float) -> float:
    return -np.inf if np.isnan(value) else by.sign * value
