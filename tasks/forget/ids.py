"""Whom to forget, as a file says it."""

from __future__ import annotations

import logging

import fsspec

from data_contracts.forgotten import put_on_list
from data_contracts.night import Workspace
from data_contracts.use_cases import promises

log = logging.getLogger(__name__)


class ForgetError(Exception):
    """Nobody can be forgotten by what was given; nothing was done."""


def put_on_list_from(workspace: Workspace, ids: str) -> int:
    """Put people on the list, and return how many of them were not on it before.

    Args:
        workspace: Whose list.
        ids: URI of a text file in UTF-8, an id a line, exactly as the logs have it.

    Raises:
        ForgetError: The use case does not say whom its rows are about, or the file cannot be read or holds no id.
    """
    if not promises(workspace.use_case).subject:
        raise ForgetError(
            f"use case {workspace.use_case!r} does not say by one column whom a row is about (`Promises.subject`), so "
            "nobody can be forgotten by an id. Nothing was done."
        )
    try:
        with fsspec.open(ids, "r", encoding="utf-8-sig", newline="") as file:
            found = [line.rstrip("\r\n") for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise ForgetError(f"{ids}: {error}. Wanted a text file in UTF-8, an id a line. Nothing was done.") from error
    if not any(found):
        raise ForgetError(f"{ids} holds no id. Wanted a text file, an id a line. Nothing was done.")
    count = put_on_list(workspace.tables, (each for each in found if each))
    log.info("%s people put on the list; %s were on it before.", f"{count:,}", f"{len({*found} - {''}) - count:,}")
    return count
