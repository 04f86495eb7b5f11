"""The Data Docs page of one night, for people."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import replace

import fsspec

from data_contracts.contract import LATE, Limits
from data_contracts.counts import Observed, RuleCounts
from data_contracts.expectations import page
from data_contracts.night import UseCaseName, Workspace
from data_contracts.promises import Inflow
from data_contracts.staging import staging
from data_contracts.use_cases import promises
from tasks.validate.config import ValidationConfig


def page_uri(workspace: Workspace, of: Inflow, version: int) -> str:
    """Say where the page of a night lies, by the version of the table that the night makes."""
    kept = promises(workspace.use_case).incoming[of].kept
    return posixpath.join(workspace.docs, f"{kept.name}-{version:06}.html")


def write_page(
    uri: str,
    use_case: UseCaseName,
    of: Inflow,
    limits: Limits,
    counts: Sequence[RuleCounts],
    observed: Sequence[Observed],
    failed: Collection[str],
    config: ValidationConfig,
) -> None:
    """Write the page: every rule, with its counts over all chunks, and whether the night stops for it.

    Args:
        uri: Of the page.
        use_case: Whose rows were checked.
        of: Which of them.
        limits: What the rules were measured against.
        counts: Of each rule.
        observed: What rules about all rows together say.
        failed: Names of the rules for which the night stops.
        config: Says how many rows may break a rule.
    """
    contract = promises(use_case).incoming[of].kept
    may_break: dict[str, object] = {"mostly": 1 - config.max_quarantined}
    may_be_late = {"severity": "info"} if config.late != "stop" else may_break
    rules = [
        replace(rule, arguments={**rule.arguments, **(may_be_late if rule.name == LATE else may_break)})
        for rule in staging(contract).row_rules(limits)
    ]
    html = page(f"{contract.name}, taken {limits.latest}", rules, counts, observed, failed=failed)
    with fsspec.open(uri, "w", encoding="utf-8", auto_mkdir=True) as file:
        file.write(html)
