"""Whether the contestant that was chosen keeps the bounds of `SubgroupConfig`: plain rules."""

from __future__ import annotations

from typing import NamedTuple

from data_contracts.evidence import Evidence
from tasks.evaluate.shown import in_capitals, in_words
from tasks.promote.config import SubgroupConfig


class Subgroups(NamedTuple):
    """What subgroups say.

    Attributes:
        broken: Which of them breaks which bound.
        silent: Which of them, or which bound, decides nothing: sentences.
    """

    broken: list[str]
    silent: list[str]

    @property
    def said(self) -> list[str]:
        """All of it, in sentences."""
        broken = f"Subgroups break gate.subgroups.bounds: {'; '.join(self.broken)}."
        return [broken, *self.silent] if self.broken else self.silent


def subgroups_of(evidence: Evidence, config: SubgroupConfig) -> Subgroups:
    """Compare every slice of the evidence that has enough units with each bound; what is not a number breaks it."""
    units = f"{evidence.by.unit}s"
    small = {name: part for name, part in evidence.slices.items() if part.units < config.min_units}
    found = Subgroups([], [])
    if small:
        listed = ", ".join(f"{in_words(name)} ({part.units:,})" for name, part in small.items())
        found.silent.append(f"Subgroups of fewer than {config.min_units:,} {units} decide nothing: {listed}.")
    for metric, bound in config.bounds.items():
        called, sign = in_capitals(metric), evidence.by.decided_by(metric).sign
        values = {
            name: part.metrics[evidence.chosen][metric]
            for name, part in evidence.slices.items()
            if name not in small and metric in part.metrics.get(evidence.chosen, {})
        }
        if not values:
            found.silent.append(f"No subgroup of {config.min_units:,} {units} has {called}: its bound decides nothing.")
        for name, value in values.items():
            if not sign * value >= sign * bound:
                seen = f"{in_words(name)} {called} {value:.4f} on {evidence.slices[name].units:,} {units}"
                found.broken.append(f"{seen}, wanted {bound:.4f} at {'least' if sign > 0 else 'most'}")
    return found
