from __future__ import annotations

import asyncio
import errno
import os
from uuid import uuid4

import pytest
from prefect import Task
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from data_contracts.contract import ContractViolationError
from tasks.deploy.task import deploy
from tasks.ingest.errors import NoFilesError
from tasks.ingest.task import ingest
from tasks.job import JobFailedError
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.task import preprocess
from tasks.register.task import register
from tasks.validate.task import validate


@pytest.mark.parametrize(
    ("task", "failure", "again"),
    [
        pytest.param(ingest, NoFilesError("today"), False, id="bad input stays bad"),
        pytest.param(validate, ContractViolationError("broken"), False, id="bad data stays bad"),
        pytest.param(preprocess, TooFewTargetsError("too small"), False, id="logs too small stay so"),
        pytest.param(preprocess, ContractViolationError("broken"), False, id="a broken contract stays broken"),
        pytest.param(preprocess, OSError("connection lost"), True, id="a lost worker may come back"),
        pytest.param(register, JobFailedError("database is locked"), True, id="a busy database may be free"),
        pytest.param(deploy, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), False, id="a full disk stays full"),
    ],
)
def test_only_what_may_pass_is_tried_again(task: Task, failure: Exception, again: bool) -> None:  # noqa: FBT001
    run = TaskRun(task_key=task.name, dynamic_key="0", flow_run_id=uuid4())
    assert asyncio.run(task.retry_condition_fn(task, run, Failed(data=failure))) is again
