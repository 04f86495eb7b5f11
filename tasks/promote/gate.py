"""The gate: a pure decision, with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data_contracts.evidence import Evidence
from data_contracts.night import HeldOut, Protocol
from data_contracts.version import CANDIDATE, CHAMPION
from tasks.promote.config import GateConfig


class Decision(NamedTuple):
    """Whether a candidate is to become champion, and why, in a sentence with numbers."""

    promoted: bool
    reason: str


def decide(evidence: Evidence, gate: GateConfig, held_out: HeldOut, protocol: Protocol) -> Decision:
    """Promote a candidate that beats every baseline and loses at most ``gate.max_loss`` of the champion's metric.

    A champion of other tables cannot be compared with, and gives way. A damaged one might, were it whole: it stays
    until somebody restores it or takes its alias off.

    Args:
        evidence: Metrics of ``candidate``, of ``champion`` if one was judged, and of baselines, which all others are;
            the counts ``targets`` and ``units`` that were judged, and ``window_targets`` and ``window_units``, all
            there were before anything was left out.
        gate: The metric that decides, and the loss allowed.
        held_out: What must have been judged, at least.
        protocol: ``leave_one_out`` only compares, and promotes nobody.
    """
    counts, by = evidence.counts, evidence.by
    metric = gate.metric or by.primary
    if not counts["window_targets"]:
        return Decision(promoted=False, reason="Nothing could be judged: the window has no target on its own days.")
    if not counts["targets"]:
        window = _amount(counts["window_targets"], counts["window_units"], by.unit)
        reason = f"None of the window's {window} could be judged: what they are does not count (repeats, say)."
        return Decision(promoted=False, reason=reason)
    values = {contestant: metrics[metric] for contestant, metrics in evidence.metrics.items()}
    seen = f"{metric.upper()} {values[CANDIDATE]:.4f} on {_number(counts['targets'], 'target')}"
    if protocol == "leave_one_out":
        others = _listed({name: value for name, value in values.items() if name != CANDIDATE})
        reason = f"{seen}; {others}. Leave-one-out only compares with published tables: no alias moves."
        return Decision(promoted=False, reason=reason)
    if counts["targets"] < held_out.min_targets or counts["units"] < held_out.min_units:
        judged = _amount(counts["targets"], counts["units"], by.unit)
        wanted = _amount(held_out.min_targets, held_out.min_units, by.unit)
        return Decision(promoted=False, reason=f"{judged} could be judged, too few to decide: it takes {wanted}.")
    left_out = evidence.left_out.get(CHAMPION)
    if evidence.champion_damaged:
        step = (
            f"Restore its files, or take the alias {CHAMPION!r} off it. The next night with new files decides; this "
            "decision stands."
        )
        return Decision(promoted=False, reason=f"{seen}; nobody can say whether that is enough: {left_out}. {step}")
    return _compare(values, by.baselines, by.sign(metric), gate.max_loss, seen, left_out)


def _compare(
    values: Mapping[str, float], named: Sequence[str], sign: int, max_loss: float, seen: str, left_out: str | None
) -> Decision:
    candidate, champion = values[CANDIDATE], values.get(CHAMPION)
    baselines = {name: value for name, value in values.items() if name not in (CANDIDATE, CHAMPION)}
    unbeaten = {name: value for name, value in baselines.items() if not sign * candidate > sign * value}
    if not math.isfinite(candidate):
        return Decision(promoted=False, reason=f"{seen}: the candidate diverged.")
    missing = sorted(set(named) - set(baselines)) or ([] if baselines else ["no baseline"])
    if missing:
        why = f"nobody can say whether that is enough: not judged, {', '.join(missing)}"
        return Decision(promoted=False, reason=f"{seen}; {why}.")
    if unbeaten:
        return Decision(promoted=False, reason=f"{seen} does not beat {_listed(unbeaten)}.")
    if champion is None or not math.isfinite(champion):
        why = f"the champion ranks no more: {champion}"
        if champion is None:
            why = f"the champion was not judged: {left_out}" if left_out else "there is no champion to compare with"
        return Decision(promoted=True, reason=f"{seen} beats {_listed(baselines)}, and {why}.")
    bound = champion - sign * abs(champion) * max_loss
    enough = sign * candidate >= sign * bound
    verdict = "is enough" if enough else "is too little" if sign > 0 else "is too much"
    loss = f"{'less' if sign > 0 else 'plus'} {max_loss:.1%}"
    reason = f"{seen} {verdict}: the champion has {champion:.4f}, {loss} is {bound:.4f}."
    return Decision(promoted=enough, reason=reason)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())


def _amount(targets: int, units: int, unit: str) -> str:
    return f"{_number(targets, 'target')} of {_number(units, unit)}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
