"""Tables of an older version of their contract are brought up to date before a night writes anything."""

from __future__ import annotations

from data_contracts.contract import ContractError
from data_contracts.night import Workspace
from data_contracts.table import Table
from data_contracts.use_cases import promises


def bring_up_to_date(workspace: Workspace) -> None:
    """Take the steps of every table's contract that it has not taken yet.

    Raises:
        ContractError: Tables are not as any version of their contracts known here has them; all of them are named.
    """
    tables = [Table(workspace.tables, contract) for contract in promises(workspace.use_case).contracts.values()]
    problems: list[str] = []
    for table in tables:  # all are looked at before one is touched
        try:
            table.steps_left()
        except ContractError as error:
            problems.append(str(error))
    if problems:
        raise ContractError("\n".join(problems))
    for table in tables:
        table.take_steps()
