"""What the night's counts say: go on, warn, or stop."""

from __future__ import annotations

import logging
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from data_contracts.contract import LATE, ContractError, ContractViolationError
from data_contracts.night import Window
from data_contracts.promises import Inflow
from data_contracts.staging import UNREADABLE
from data_contracts.table import Table
from tasks.validate.config import ValidationConfig
from tasks.validate.days import Days
from tasks.validate.report import Report
from tasks.validate.window import DAYS_COMPARED

log = logging.getLogger(__name__)

WINDOWS_BEFORE_STOPPING = 7


def refuse_lost_rows(read: int, counts: Mapping[str, int], *, what: str) -> None:
    """Stop when a row that was read is neither in the files about to be published nor left out by a rule, or is twice.

    Args:
        read: Rows read.
        counts: Name of what became of rows to how many: together they are those read.
        what: Table and day, for people.

    Raises:
        ContractError: They are not.
    """
    conserved = read == sum(counts.values())
    kinds = " + ".join(f"{name.replace('_', ' ')} {rows:,}" for name, rows in counts.items())
    said = f"rows read {read:,} {'=' if conserved else 'is not'} {kinds}"
    if not conserved:
        raise ContractError(f"{what}: {said}. Nothing was published. Start the night again.")
    log.info("%s: %s.", what, said)


def failed_rules(report: Report, config: ValidationConfig) -> set[str]:
    """Return the names of the rules for which the night stops; none when it goes on."""
    rules = {counts.rule for counts in report.counts}
    late = {LATE} if report.late and config.late == "stop" else set()
    broken = report.broken if _is_over(report, config.max_quarantined) else ()
    return late | {rule if rule in rules else UNREADABLE for rule in broken}


def refuse_over_budget(
    report: Report, *, of: Inflow, budget: float, what: str, page: str, unread_time: str = ""
) -> None:
    """Stop when too many new rows broke a rule, or when none kept them all.

    Args:
        report: On the rows.
        of: Where they come from.
        budget: Share of the new rows that may break a rule.
        what: Table and day, for people.
        page: Where every rule can be looked up.
        unread_time: A time that could not be read, and what could be; empty without.

    Raises:
        ContractViolationError: They did.
    """
    if not _is_over(report, budget):
        return
    rows, seen = _new(report), report.broken.total()
    lines = [f"  - {rule}: {count:,} rows, e.g. {report.examples[rule]}" for rule, count in report.broken.most_common()]
    lines += [f"    {unread_time}"] if unread_time else []
    rules = "1 rule" if len(report.broken) == 1 else f"{len(report.broken)} rules"
    head = f"{what}: {rules} broken in {rows:,} rows (budget {100 * budget:.1f} %, seen {100 * seen / rows:.1f} %)."
    step = f"Fix the {of}{'' if seen == rows else ', or raise validation.max_quarantined'}."
    raise ContractViolationError("\n".join([head, *lines, f"Nothing was published. Every rule: {page}. {step}"]))


def refuse_late(report: Report, config: ValidationConfig, what: str) -> None:
    """Stop when rows came too late and the settings say to; otherwise say how many.

    Raises:
        ContractViolationError: They did, and the settings say so.
    """
    if not report.late:
        return
    said = f"{what}: {report.late:,} rows came more than {config.late_days} days late, e.g. {report.examples[LATE]}"
    if config.late == "stop":
        raise ContractViolationError(
            f"{said}. Nothing was published. Take their files away, raise validation.late_days, or set "
            "validation.late to quarantine or drop."
        )
    log.warning("%s. %s.", said, "They are kept in quarantine" if config.late == "quarantine" else "They are dropped")


def _is_over(report: Report, budget: float) -> bool:
    seen, rows = report.broken.total(), _new(report)
    return seen > budget * rows or 0 < seen == rows


def _new(report: Report) -> int:
    """Return the rows that a budget is measured against: those accepted, and those that broke a rule."""
    return report.days.total() + report.broken.total()


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


def weigh_volume(days: Days, window: Window, config: ValidationConfig, *, windows: int) -> None:
    """Compare a window's rows with the days before it: warn of what is unusual, or stop.

    Args:
        days: Rows by day, the window's own among them.
        window: About to be opened.
        config: What is unusual, and whether to stop.
        windows: In the tables already.

    Raises:
        ContractViolationError: It is unusual, the settings say to stop, and there are windows enough to know.
    """
    own = [rows for day, rows in days.items() if window.first_day <= day <= window.last_day]
    length = (window.last_day - window.first_day).days + 1
    earliest = window.first_day - timedelta(days=DAYS_COMPARED)
    before = [rows for day, rows in days.items() if earliest <= day < window.first_day]
    unusual = unusual_volume(sum(own) / length, before, change=config.volume_change)
    if not unusual:
        return
    if config.stop_on_volume and windows >= WINDOWS_BEFORE_STOPPING:
        raise ContractViolationError(
            f"{window}: {unusual}. Nothing was published. Look for missing files, or set validation.stop_on_volume to "
            "false."
        )
    log.warning("%s: %s.", window, unusual)


def rows_by_day(truth: Table) -> Counter[date]:
    """Count a table's rows by day; its log knows, no file is opened."""
    rows_by_day: Counter[date] = Counter()
    for file, rows in truth.file_rows().items():
        rows_by_day[date.fromisoformat(truth.partition_of(file))] += rows
    return rows_by_day
