"""Where the rows of the newest files went, as sentences: no row may be missing from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from data_contracts.night import Workspace
from data_contracts.promises import Inflow
from data_contracts.table import Table
from data_contracts.use_cases import incoming_tables, promises
from data_contracts.waiting import Waiting
from tasks.ingest.config import SourceConfig
from tasks.ingest.config_times import MADE_UP
from tasks.validate.publication import COUNTS


def conserved(workspace: Workspace, sources: Iterable[SourceConfig]) -> Iterator[str]:
    """Say how many rows were read, and were accepted, kept aside, too late, repeats, or not asked for; what waits.

    Args:
        workspace: Whose tables remember it.
        sources: Whose rows they were; they say how times were made up.
    """
    times = {
        source.of: f"; {MADE_UP[source.arrival]} ({source.named('arrival')}: {source.arrival})"
        for source in sources
        if source.arrival
    }
    days = f"; days are those of {workspace.day_zone}" if workspace.day_zone != "UTC" else ""
    yield f"rows read {_counted(workspace, 'source')}{times.get('source', '')}{days}"
    promised = promises(workspace.use_case)
    if "labels" in promised.incoming and incoming_tables(workspace, "labels").kept.version() is not None:
        yield f"labels read {_counted(workspace, 'labels')}{times.get('labels', '')}"
        if waiting := Waiting.of(Table(workspace.tables, promised.made[-1])):
            yield str(waiting)


def _counted(workspace: Workspace, of: Inflow) -> str:
    table = incoming_tables(workspace, of).kept
    marks = {name: table.mark(name) or 0 for name in COUNTS}
    read, early = marks.pop("rows_read"), marks.pop("early")
    if not marks["forgotten"]:
        del marks["forgotten"]
    kinds = " + ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in marks.items())
    waiting = f"; accepted for windows of later days: {early:,}" if early else ""
    return f"{read:,} = {kinds}{waiting}"
