"""The Data Docs page of one night, for people."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from datetime import date

import fsspec

from data_contracts.check import RuleCounts, page
from data_contracts.contract import Limits
from data_contracts.night import UseCaseName, Workspace
from data_contracts.staging import staging
from data_contracts.use_cases import contracts


def page_uri(workspace: Workspace, night: date) -> str:
    """Say where the page of a night lies."""
    return posixpath.join(workspace.docs, f"events-{night}.html")


def write_page(uri: str, use_case: UseCaseName, limits: Limits, counts: Sequence[RuleCounts]) -> None:
    """Write the page: every rule, with its counts over all chunks."""
    rules = staging(contracts(use_case)["events"]).row_rules(limits)
    html = page(f"events {limits.through}", rules, counts)
    with fsspec.open(uri, "w", encoding="utf-8", auto_mkdir=True) as file:
        file.write(html)
