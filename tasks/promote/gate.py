"""The gate: a pure decision, with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from data_contracts.night import Evidence, HeldOut, Protocol
from data_contracts.version import CHAMPION
from tasks.promote.config import GateConfig


class Decision(NamedTuple):
    """Whether a candidate is to become champion, and why, in a sentence with numbers."""

    promoted: bool
    reason: str


def decide(evidence: Evidence, gate: GateConfig, held_out: HeldOut, protocol: Protocol) -> Decision:
    """Promote a candidate that beats popularity and loses at most ``gate.max_loss`` of the champion's metric.

    A champion of other tables cannot be compared with, and gives way. A damaged one might, were it whole: it stays
    until somebody restores it or takes its alias off.

    Args:
        evidence: Metrics of ``candidate``, ``popularity`` and, if one was judged, ``champion``; the counts
            ``window_targets`` and ``window_users`` (all there were) and ``targets`` (those judged).
        gate: The metric that decides, and the loss allowed.
        held_out: Smallest window that may decide.
        protocol: ``leave_one_out`` only compares, and promotes nobody.
    """
    counts = evidence.counts
    window = f"{counts['window_targets']:,} targets of {counts['window_users']:,} users"
    if not counts["targets"]:
        reason = f"None of the window's {window} could be judged: they are repeats, or of kinds that do not count."
        return Decision(promoted=False, reason=reason)
    values = {contestant: metrics[gate.metric] for contestant, metrics in evidence.metrics.items()}
    seen = f"{gate.metric.upper()} {values['candidate']:.4f} on {counts['targets']:,} targets"
    if protocol == "leave_one_out":
        others = ", ".join(f"{name} {value:.4f}" for name, value in values.items() if name != "candidate")
        reason = f"{seen}; {others}. Leave-one-out only compares with published tables: no alias moves."
        return Decision(promoted=False, reason=reason)
    if counts["window_targets"] < held_out.min_targets or counts["window_users"] < held_out.min_users:
        wanted = f"{held_out.min_targets:,} targets of {held_out.min_users:,} users"
        return Decision(promoted=False, reason=f"The window holds {window}, too few to decide: it takes {wanted}.")
    left_out = evidence.left_out.get(CHAMPION)
    if evidence.champion_damaged:
        step = (
            f"Restore its files, or take the alias {CHAMPION!r} off it. The next night with new files decides; this "
            "decision stands."
        )
        return Decision(promoted=False, reason=f"{seen}; nobody can say whether that is enough: {left_out}. {step}")
    return _compare(values, gate.max_loss, seen, left_out)


def _compare(values: Mapping[str, float], max_loss: float, seen: str, left_out: str | None) -> Decision:
    candidate, popularity, champion = values["candidate"], values["popularity"], values.get(CHAMPION)
    if not math.isfinite(candidate):
        return Decision(promoted=False, reason=f"{seen}: the candidate diverged.")
    if candidate <= popularity:
        return Decision(promoted=False, reason=f"{seen} does not beat popularity, {popularity:.4f}.")
    if champion is None or not math.isfinite(champion):
        why = f"the champion ranks no more: {champion}"
        if champion is None:
            why = f"the champion was not judged: {left_out}" if left_out else "there is no champion to compare with"
        return Decision(promoted=True, reason=f"{seen} beats popularity, {popularity:.4f}, and {why}.")
    least = champion * (1 - max_loss)
    verdict = "is enough" if candidate >= least else "is too little"
    reason = f"{seen} {verdict}: the champion has {champion:.4f}, less {max_loss:.1%} is {least:.4f}."
    return Decision(promoted=candidate >= least, reason=reason)
