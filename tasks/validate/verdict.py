"""What the night's counts say: go on, warn, or stop."""

from __future__ import annotations

import logging
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from data_contracts.contract import ContractError, ContractViolationError
from data_contracts.night import Window
from data_contracts.table import Table
from tasks.validate.config import ValidationConfig

log = logging.getLogger(__name__)

WINDOWS_BEFORE_STOPPING = 7
DAYS_COMPARED = 28


def refuse_lost_rows(read: int, *, accepted: int, quarantined: int, repeats: int, what: str) -> None:
    """Stop when a row that was read is neither in the files about to be published nor a repeat, or is there twice.

    Raises:
        ContractError: Rows read are not rows accepted, quarantined and repeats together.
    """
    conserved = read == accepted + quarantined + repeats
    said = (
        f"rows read {read:,} {'=' if conserved else 'is not'} "
        f"accepted {accepted:,} + quarantined {quarantined:,} + repeats {repeats:,}"
    )
    if not conserved:
        raise ContractError(f"{what}: {said}. Nothing was published. Start the night again.")
    log.info("%s: %s.", what, said)


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
    head = f"{what}: {rules} broken in {rows:,} rows (budget {100 * budget:.1f} %, seen {100 * share:.1f} %)."
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
        f"({100 * (rows_a_day / usual - 1):+.0f} %, usual is within {100 * change:.0f} %)"
    )


def weigh_volume(accepted: int, window: Window, events: Table, config: ValidationConfig) -> None:
    """Compare a night's rows with the days in the table: warn of what is unusual, or stop.

    Raises:
        ContractViolationError: It is unusual, the settings say to stop, and there are windows enough to know.
    """
    days = (window.last_day - window.first_day).days + 1
    earliest = window.first_day - timedelta(days=DAYS_COMPARED)
    before = [rows for day, rows in _rows_by_day(events).items() if earliest <= day < window.first_day]
    unusual = unusual_volume(accepted / days, before, change=config.volume_change)
    if not unusual:
        return
    if config.stop_on_volume and (events.mark("windows") or 0) >= WINDOWS_BEFORE_STOPPING:
        raise ContractViolationError(
            f"{events.contract.name!r} {window}: {unusual}. Nothing was published. "
            "Look for missing files, or set validation.stop_on_volume to false."
        )
    log.warning("%s: %s.", window, unusual)


def _rows_by_day(events: Table) -> Counter[date]:
    rows_by_day: Counter[date] = Counter()
    for file, rows in events.file_rows().items():
        rows_by_day[date.fromisoformat(events.partition_of(file))] += rows
    return rows_by_day
