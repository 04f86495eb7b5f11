"""Training comes to the same under every way of splitting, changed sounds of all lengths included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from data_contracts.job import FitJob, FitResult
from models.speech.weights import load
from tests.models.jobs import WINDOWS
from tests.models.speech.tables import NETWORK, fit_job, said, write_tables
from tests.models.splitting import FIT, assert_same, in_every_way, train


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FitJob]:
    """Of as many recordings as no number of processes divides."""
    tables = write_tables(tmp_path_factory.mktemp("tables"), said({WINDOWS[0]: 67, WINDOWS[1]: 70}))
    return partial(fit_job, tables, config={"network": NETWORK, "fit": FIT})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, job: Callable[..., FitJob]) -> FitResult:
    return train(job, tmp_path_factory.mktemp("alone"), processes_per_node=1)


@in_every_way
def test_it_comes_to_what_one_process_does(
    tmp_path_factory: pytest.TempPathFactory, job: Callable[..., FitJob], alone: FitResult, way: dict[str, object]
) -> None:
    assert_same(train(job, tmp_path_factory.mktemp("way"), **way), alone, lambda folder: load(folder).network)
