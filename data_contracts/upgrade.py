"""What is seen to before a night writes anything: tables of an older contract are brought up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data_contracts.contract import ContractError
from data_contracts.night import Workspace
from data_contracts.staging import DAY_ZONE
from data_contracts.table import Table
from data_contracts.use_cases import promises


def bring_up_to_date(workspace: Workspace) -> None:
    """Take the steps of every table's contract that it has not taken yet.

    Raises:
        ContractError: Tables are not as any version of their contracts known here has them, or were parted by days of
            another zone; all of them are named.
    """
    contracts = promises(workspace.use_case).contracts
    tables = {name: Table(workspace.tables, contract) for name, contract in contracts.items()}
    problems: list[str] = []
    for table in tables.values():  # all are looked at before one is touched
        try:
            table.steps_left()
        except ContractError as error:
            problems.append(str(error))
    problems += _other_zones(workspace, tables)
    if problems:
        raise ContractError("\n".join(problems))
    for table in tables.values():
        table.take_steps()


def _other_zones(workspace: Workspace, tables: Mapping[str, Table]) -> Iterator[str]:
    """Say which tables of rows from outside go by days of another zone than tonight's; of older code, by UTC's."""
    inflows = promises(workspace.use_case).incoming.values()
    for table in (tables[each.name] for inflow in inflows for each in (inflow.kept, inflow.quarantine)):
        if table.version() is None:
            continue
        zone = table.note(DAY_ZONE) or "UTC"
        if zone != workspace.day_zone:
            yield (
                f"table {table.contract.name!r} at {table.uri}: its rows are parted by days of {zone} since its first "
                f"night, and day_zone is {workspace.day_zone!r}. Nothing was written. Set day_zone: {zone}, or give "
                "the logs another name, and so tables of their own."
            )
