"""What Prefect keeps of people who are forgotten: runs whose errors or logs show a row about one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterTags,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterLevel,
)
from prefect.client.schemas.objects import FlowRun

from data_contracts.forgotten import Forgotten
from tasks.forget.traces import shows_them

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

AT_ONCE = 200
"""Of what is asked for in one request; Prefect's own limit."""
WARNING = 30


def delete_runs(forgotten: Forgotten, tags: Sequence[str], own: str) -> int:
    """Delete the runs of one home and one name that show such a row, with their logs, and return how many.

    Args:
        forgotten: The people.
        tags: Of that home and name.
        own: Id of the run that asks for it, which stays.
    """
    with get_client(sync_client=True) as client:
        found = [run.id for run in _runs(client, tags) if str(run.id) != own and _shows(client, run, forgotten)]
        for run_id in found:
            client.delete_flow_run(run_id)
    return len(found)


def _runs(client: SyncPrefectClient, tags: Sequence[str]) -> Iterator[FlowRun]:
    asked = FlowRunFilter(tags=FlowRunFilterTags(all_=list(tags)))
    offset = 0
    while runs := client.read_flow_runs(flow_run_filter=asked, limit=AT_ONCE, offset=offset):
        yield from runs
        offset += len(runs)


def _shows(client: SyncPrefectClient, run: FlowRun, forgotten: Forgotten) -> bool:
    if shows_them(forgotten, (run.state.message if run.state else None) or ""):
        return True
    return any(shows_them(forgotten, text) for text in _logs(client, run.id))


def _logs(client: SyncPrefectClient, run_id: UUID) -> Iterator[str]:
    asked = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]), level=LogFilterLevel(ge_=WARNING))
    offset = 0
    while logs := client.read_logs(asked, limit=AT_ONCE, offset=offset):
        yield "\n".join(each.message for each in logs)
        offset += len(logs)
