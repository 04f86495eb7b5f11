from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from data_contracts.contract import ContractViolationError
from data_contracts.night import HeldOut, Window
from tasks.preprocess.errors import TooFewTargetsError
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.task import _may_pass, preprocess
from tests.tasks.preprocess.recommender.logs import publish, shop, workspace


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        pytest.param(TooFewTargetsError("too small"), False, id="logs too small stay so"),
        pytest.param(ContractViolationError("broken"), False, id="a broken contract stays broken"),
        pytest.param(OSError("connection lost"), True, id="a lost worker may come back"),
    ],
)
def test_only_what_may_pass_is_tried_again(failure: Exception, again: bool) -> None:  # noqa: FBT001
    run = TaskRun(task_key="preprocess", dynamic_key="0", flow_run_id=uuid4())
    assert asyncio.run(_may_pass(preprocess, run, Failed(data=failure))) is again


def test_the_use_case_of_the_workspace_makes_the_features(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(2)), range(2))
    held_out = HeldOut(min_targets=100, min_users=10)
    night = preprocess.fn(home, validated, held_out, FeatureConfig(), "nightly", cluster)
    assert night.windows == ("2026-01-01", "2026-01-02")
    assert night.window == Window(first_day=validated.window.last_day, last_day=validated.window.last_day)
