"""Where a use case is: its name says so, and nothing outside of it has to know it.

A use case is a folder in each of three rooms, and in each an object by which it declares itself. Its name is that of
the folders, or that of a package of somebody's own, which has the three rooms in it.

=====================  ==========================================  ===============================  ===========
object                 of ``recommender``                          of ``acme.churn``                is one of
=====================  ==========================================  ===============================  ===========
``PROMISES``           ``data_contracts.recommender.promises``     ``acme.churn.contracts.promises``  `Promises`
``FEATURES``           ``tasks.preprocess.recommender.features``   ``acme.churn.preprocess.features``
``USE_CASE``           ``models.recommender.use_case``             ``acme.churn.models.use_case``
=====================  ==========================================  ===============================  ===========
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

from data_contracts.night import USE_CASE_NAME, Workspace
from data_contracts.promises import Inflow, Promises
from data_contracts.source_files import SourceFiles
from data_contracts.table import Table

Object = Literal["PROMISES", "FEATURES", "USE_CASE"]
OBJECTS: tuple[Object, ...] = get_args(Object)

_MODULES: dict[Object, tuple[str, str]] = {
    "PROMISES": ("data_contracts.{}.promises", "{}.contracts.promises"),
    "FEATURES": ("tasks.preprocess.{}.features", "{}.preprocess.features"),
    "USE_CASE": ("models.{}.use_case", "{}.models.use_case"),
}


class UnknownUseCaseError(ValueError):
    """There is no use case of that name."""


def declared(use_case: str, what: Object) -> Any:  # noqa: ANN401, each room knows what its own is
    """Return one of the objects by which a use case declares itself.

    Raises:
        UnknownUseCaseError: There is no such use case, or it does not declare itself.
    """
    ours, theirs = _MODULES[what]
    module = (theirs if "." in use_case else ours).format(use_case)
    try:
        found = import_module(module) if re.fullmatch(USE_CASE_NAME, use_case) else None
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise UnknownUseCaseError(f"use case {use_case!r} needs a module that is not there: {error}.") from error
        found = None
    if found is None:
        raise UnknownUseCaseError(
            f"there is no use case {use_case!r}: {module} is no module. Name one of the house, or a package that can "
            "be imported here."
        )
    if not hasattr(found, what):
        raise UnknownUseCaseError(f"use case {use_case!r} declares no {what} in {module}.")
    return getattr(found, what)


class IncomingTables(NamedTuple):
    """Tables of rows as they came from outside: of the sound ones, and of the others; and which files they were in."""

    kept: Table
    quarantine: Table
    files: SourceFiles


def incoming_tables(workspace: Workspace, of: Inflow = "source") -> IncomingTables:
    """Return the tables of the truth, or of labels."""
    kept, quarantine, index = (Table(workspace.tables, each) for each in promises(workspace.use_case).incoming[of])
    return IncomingTables(kept, quarantine, SourceFiles(kept, quarantine, index))


def promises(use_case: str) -> Promises:
    """Return what a use case promises about its tables."""
    found: Promises = declared(use_case, "PROMISES")
    return found
