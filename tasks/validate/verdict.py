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
from tasks.validate.judging import Judged
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


def failed_rules(report: Report, judged: Sequence[Judged], config: ValidationConfig) -> set[str]:
    """Return the names of the rules for which the night stops; none when it goes on.

    Args:
        report: On the rows.
        judged: What the rules about all rows together say.
        config: What is allowed.
    """
    rules = {counts.rule for counts in report.counts}
    late = {LATE} if report.late and config.late == "stop" else set()
    broken = report.broken if _is_over(report, config.max_quarantined) else ()
    of_table = {each.rule.name for each in judged if each.rule and _stops(each, config)}
    return late | of_table | {rule if rule in rules else UNREADABLE for rule in broken}


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


def weigh_volume(days: Days, window: Window, *, change: float, windows: int) -> list[Judged]:
    """Compare a window's rows with the days before it, and return what is unusual, if anything.

    Args:
        days: Rows by day, the window's own among them.
        window: About to be opened.
        change: Share by which the volume may differ from the median day.
        windows: In the tables already.
    """
    own = [rows for day, rows in days.items() if window.first_day <= day <= window.last_day]
    length = (window.last_day - window.first_day).days + 1
    earliest = window.first_day - timedelta(days=DAYS_COMPARED)
    before = [rows for day, rows in days.items() if earliest <= day < window.first_day]
    unusual = unusual_volume(sum(own) / length, before, change=change)
    said = f"volume of {window}: {unusual}"
    return [Judged("volume", said, broken=True, may_stop=windows >= WINDOWS_BEFORE_STOPPING)] if unusual else []


def refuse_unusual(
    judged: Sequence[Judged], config: ValidationConfig, *, of: Inflow, rows: int, what: str, page: str
) -> None:
    """Say what the rules about all rows together saw: warn where one is broken, or stop, with all of them at once.

    Args:
        judged: The volume among them.
        config: Says for which of them the night stops.
        of: Where the rows come from.
        rows: Accepted.
        what: Table and day, for people.
        page: Where every rule can be looked up; empty where no file was new.

    Raises:
        ContractViolationError: One is broken for which the night stops, and enough is known to.
    """
    stopping = [each for each in judged if _stops(each, config)]
    for each in (each for each in judged if each not in stopping):
        log.log(logging.WARNING if each.broken else logging.INFO, "%s: %s.", what, each.said)
    if not stopping:
        return
    rules = "1 rule" if len(stopping) == 1 else f"{len(stopping)} rules"
    lines = [f"{what}: {rules} about all rows broken by {rows:,} new ones.", *(f"  - {each.said}" for each in stopping)]
    setting = "table" if of == "source" else "labels_table"
    kinds = sorted({each.kind for each in stopping})
    bounds = [f"validation.{'volume_change' if kind == 'volume' else f'{setting}.{kind}'}" for kind in kinds]
    seen = f" Every rule: {page}." if page else ""
    step = f"Look for missing files and for what changed in the {of}; or change {' and '.join(bounds)}, or take "
    step += f"{' and '.join(kinds)} out of validation.stop_on to be warned only."
    raise ContractViolationError("\n".join([*lines, f"Nothing was published.{seen} {step}"]))


def _stops(judged: Judged, config: ValidationConfig) -> bool:
    return judged.broken and judged.may_stop and judged.kind in config.stop_on


def rows_by_day(truth: Table) -> Counter[date]:
    """Count a table's rows by day; its log knows, no file is opened."""
    rows_by_day: Counter[date] = Counter()
    for file, rows in truth.file_rows().items():
        rows_by_day[date.fromisoformat(truth.partition_of(file))] += rows
    return rows_by_day
