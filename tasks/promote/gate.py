"""The gate: a pure decision, with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from data_contracts.evidence import Evidence, Interval
from data_contracts.night import HeldOut, Protocol
from data_contracts.version import ANCHOR, CANDIDATE, CHAMPION
from tasks.promote.config import GateConfig
from tasks.promote.subgroups import Subgroups, subgroups_of


class Decision(NamedTuple):
    """Whether a candidate is to become champion, and why, in a sentence with numbers."""

    promoted: bool
    reason: str


def decide(evidence: Evidence, gate: GateConfig, held_out: HeldOut, protocol: Protocol) -> Decision:
    """Promote who is surely better than every baseline, and surely not much worse than the champion and the anchor.

    The lower bound of an `Interval` decides, not its middle. A champion of other tables cannot be compared with, and
    gives way. A damaged one might, were it whole: it stays until somebody restores it or takes its alias off. Whoever
    is compared with, bounds on subgroups must be kept, too; the reason says all that is wrong.

    Args:
        evidence: Metrics of the contestants, by how much the chosen one is ahead of each, and what was judged.
        gate: The loss allowed, and the bounds on subgroups.
        held_out: What must have been judged, at least.
        protocol: ``leave_one_out`` only compares, and promotes nobody.
    """
    counts, by = evidence.counts, evidence.by
    if not counts["window_targets"]:
        return Decision(promoted=False, reason="Nothing could be judged: the window has no target on its own days.")
    if not counts["targets"]:
        window = _amount(counts["window_targets"], counts["window_units"], by.unit)
        reason = f"None of the window's {window} could be judged: what they are does not count (repeats, say)."
        return Decision(promoted=False, reason=reason)
    values = {contestant: metrics[by.primary] for contestant, metrics in evidence.metrics.items()}
    metric = by.primary.upper().replace("_", " ")
    seen = f"{metric} {values[evidence.chosen]:.4f} on {_number(counts['targets'], 'target')}"
    if evidence.chosen != CANDIDATE:
        seen = f"{evidence.chosen} did better than the candidate ({values[CANDIDATE]:.4f}): {seen}"
    if protocol == "leave_one_out":
        others = _listed({name: value for name, value in values.items() if name != evidence.chosen})
        reason = f"{seen}; {others}. Leave-one-out only compares with published tables: no alias moves."
        return Decision(promoted=False, reason=reason)
    if counts["targets"] < held_out.min_targets or counts["units"] < held_out.min_units:
        judged = _amount(counts["targets"], counts["units"], by.unit)
        wanted = _amount(held_out.min_targets, held_out.min_units, by.unit)
        return Decision(promoted=False, reason=f"{judged} could be judged, too few to decide: it takes {wanted}.")
    if evidence.champion_damaged:
        step = (
            f"Restore its files, or take the alias {CHAMPION!r} off it. The next night with new files decides; this "
            "decision stands."
        )
        reason = f"{seen}; nobody can say whether that is enough: {evidence.left_out[CHAMPION]}. {step}"
        return Decision(promoted=False, reason=reason)
    compared = _compare(evidence, values, gate.max_loss, seen)
    subgroups = subgroups_of(evidence, gate.subgroups) if gate.subgroups else Subgroups([], [])
    reason = " ".join([compared.reason, *subgroups.said])
    return Decision(promoted=compared.promoted and not subgroups.broken, reason=reason)


def _compare(evidence: Evidence, values: Mapping[str, float], max_loss: float, seen: str) -> Decision:
    by, ahead = evidence.by, evidence.ahead
    if not math.isfinite(values[evidence.chosen]):
        return Decision(promoted=False, reason=f"{seen}: the candidate diverged.")
    learned = (CANDIDATE, CHAMPION, ANCHOR, *by.rivals)
    baselines = {name: value for name, value in values.items() if name not in learned}
    missing = sorted({*by.baselines, *by.rivals} - set(values)) or ([] if baselines else ["no baseline"])
    if missing:
        why = f"nobody can say whether that is enough: not judged, {', '.join(missing)}"
        return Decision(promoted=False, reason=f"{seen}; {why}.")
    unbeaten = {name: value for name, value in baselines.items() if not ahead[name].low > 0}
    if unbeaten:
        return Decision(promoted=False, reason=f"{seen} is not surely better than {_compared(unbeaten, ahead)}.")
    before = {name: values[name] for name in (CHAMPION, ANCHOR) if math.isfinite(values.get(name, math.nan))}
    if CHAMPION not in before:
        return Decision(promoted=True, reason=f"{seen} beats {_listed(baselines)}, and {_alone(evidence, values)}.")
    worse = {name: value for name, value in before.items() if not ahead[name].low >= -abs(value) * max_loss}
    verdict = "may be too much worse than" if worse else "is enough beside"
    reason = (
        f"{seen} {verdict} {_compared(worse or before, ahead)}; it may be worse by {max_loss:.1%}, surely not more."
    )
    return Decision(promoted=not worse, reason=reason)


def anchored(evidence: Evidence, version: str) -> str:
    """Return the version that will be the anchor if ``version`` becomes champion: the better of it and today's anchor.

    So many small losses, each of them allowed, do not add up: a successor of successors is still compared with the one
    that was best.

    Args:
        evidence: Of who was judged as ``version``.
        version: Its number.
    """
    by = evidence.by
    values = {name: metrics.get(by.primary, math.nan) for name, metrics in evidence.metrics.items()}
    best = next((name for name in (ANCHOR, CHAMPION) if math.isfinite(values.get(name, math.nan))), None)
    if best is None or not by.sign * values[evidence.chosen] < by.sign * values[best]:
        return version
    return evidence.versions[best]


def _alone(evidence: Evidence, values: Mapping[str, float]) -> str:
    """Say why there is no champion to be compared with."""
    if CHAMPION in values:
        return f"the champion diverged: {values[CHAMPION]}"
    left_out = evidence.left_out.get(CHAMPION)
    return f"the champion was not judged: {left_out}" if left_out else "there is no champion to compare with"


def _compared(values: Mapping[str, float], ahead: Mapping[str, Interval]) -> str:
    """List contestants, and by how much the one that was chosen is ahead of each."""
    return ", ".join(
        f"{name} {value:.4f} (ahead by {ahead[name].low:+.4f} to {ahead[name].high:+.4f})"
        for name, value in values.items()
    )


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())


def _amount(targets: int, units: int, unit: str) -> str:
    return f"{_number(targets, 'target')} of {_number(units, unit)}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
