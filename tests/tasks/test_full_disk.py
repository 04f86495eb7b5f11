from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from data_contracts.night import Workspace
from tasks.full_disk import FullDiskError, names_a_full_disk
from tasks.job import JobFailedError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(name="shop", use_case="recommender", home=str(tmp_path), tracking_uri="sqlite:///none.db")


def write(workspace: Workspace) -> None:
    """Write to a disk that is always full."""
    with names_a_full_disk(workspace), open("/dev/full", "w") as file:
        file.write("a row")


def test_a_full_disk_is_named_with_what_is_free_there(workspace: Workspace) -> None:
    with pytest.raises(FullDiskError, match=f"(?s) MB in {workspace.home}; .*No space left on device") as raised:
        write(workspace)
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), id="a system call's"),
        pytest.param(JobFailedError("the last lines:\nsqlite3: database or disk is full\n"), id="in the log of a job"),
    ],
)
def test_it_is_named_whatever_was_made_of_the_error(workspace: Workspace, cause: Exception) -> None:
    other = RuntimeError("the run could not be ended")
    other.__context__ = cause
    with pytest.raises(FullDiskError), names_a_full_disk(workspace):
        raise other


def test_another_error_stays_as_it_is(workspace: Workspace) -> None:
    with pytest.raises(PermissionError), names_a_full_disk(workspace):
        raise PermissionError("not yours")
