"""What the night's counts say: go on, warn, or stop. Plain rules over counts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from data_contracts.contract import ContractViolationError

WINDOWS_BEFORE_STOPPING = 7


def refuse_over_budget(
    broken: Mapping[str, int], examples: Mapping[str, str], *, rows: int, budget: float, what: str, page: str
) -> None:
    """Stop when too many rows broke a rule, or when none kept them all.

    Args:
        broken: Rule to rows that broke it first.
        examples: Rule to one such row.
        rows: Rows checked.
        budget: Share of ``rows`` that may break a rule.
        what: Table and night, for people.
        page: Where every rule can be looked up.

    Raises:
        ContractViolationError: They did.
    """
    seen = sum(broken.values())
    if seen <= budget * rows and seen < rows:
        return
    lines = [
        f"  - {rule}: {count:,} rows, e.g. {examples[rule]}"
        for rule, count in sorted(broken.items(), key=lambda one: -one[1])
    ]
    rules = "1 rule" if len(lines) == 1 else f"{len(lines)} rules"
    share = seen / rows if rows else 0
    head = f"{what}: {rules} broken in {rows:,} rows (budget {budget:.1%}, seen {share:.1%})."
    step = "Fix the source." if seen == rows else "Fix the source, or raise validation.max_quarantined."
    raise ContractViolationError("\n".join([head, *lines, f"Nothing was published. Every rule: {page}. {step}"]))


def unusual_volume(rows_a_day: float, before: Sequence[int], *, change: float) -> str:
    """Say what is unusual about the night's volume; nothing when it is as usual, or when there is nothing to compare.

    Args:
        rows_a_day: Rows accepted, per day of the window.
        before: Rows of days before it.
        change: Share by which the volume may differ from the median day.
    """
    usual = statistics.median(before) if before else 0
    if not usual or abs(rows_a_day - usual) <= change * usual:
        return ""
    return (
        f"{rows_a_day:,.0f} rows a day, the median of {len(before)} days before is {usual:,.0f} "
        f"({rows_a_day / usual - 1:+.0%}, usual is within {change:.0%})"
    )
