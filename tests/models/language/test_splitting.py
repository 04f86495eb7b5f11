"""Training comes to the same under every way of splitting, wherever stretches of text begin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from data_contracts.job import FitJob, FitResult
from models.language.weights import load
from tests.data_contracts.language.made_up import stories
from tests.models.jobs import WINDOWS
from tests.models.language.tables import NETWORK, fit_job, write_tables
from tests.models.splitting import FIT, assert_same, in_every_way, train


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FitJob]:
    """Of as many stretches as no number of processes divides."""
    texts = {window: stories(20, seed=number, sentences=5) for number, window in enumerate(WINDOWS)}
    tables = write_tables(tmp_path_factory.mktemp("tables"), texts)
    return partial(fit_job, tables, config={"network": NETWORK, "context": 16, "fit": FIT})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, job: Callable[..., FitJob]) -> FitResult:
    return train(job, tmp_path_factory.mktemp("alone"), processes_per_node=1)


@in_every_way
def test_it_comes_to_what_one_process_does(
    tmp_path: Path, job: Callable[..., FitJob], alone: FitResult, way: dict[str, object]
) -> None:
    assert_same(train(job, tmp_path, **way), alone, lambda folder: load(folder).network)
